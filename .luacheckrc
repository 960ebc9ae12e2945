-- Prosody runs each module with its API object in the global `module`.
std = "lua54"
max_line_length = 120
globals = { "module" }
read_globals = { "prosody" }
