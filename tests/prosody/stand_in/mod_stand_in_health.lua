-- Test stand-in for the image's mod_http_health.

module:set_global()
module:depends "http"
module:provides("http", { default_path = "/health", route = { GET = function() return "OK\n" end } })
