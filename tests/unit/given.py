"""Values for each configuration key, good ones with what they become and bad ones with a word of what is allowed."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final

from components.config.addresses import HostAddress, PublicUrl
from components.config.values import Variable
from tests.values import OWN_SECRETS, TLS_OWN

_BOOLEANS: Final = [("true", True), ("false", False), ("1", True), ("0", False), ("True", True), ("FALSE", False)]
_NO_BOOLEANS: Final = [(text, "true or false") for text in ("yes", "on", "2", "", " true", "true\n", "ja")]
_PORTS: Final = [("1", 1), ("80", 80), ("65535", 65535)]
_NO_PORTS: Final = [
    (text, "a whole number from 1 to 65535")
    for text in ("0", "65536", "-1", "+80", "80.0", "8000 ", " 80", "http", "0x50", "٨٠", "", "99999999999999999999")
]
_TURN_PORTS: Final = [(text, int(text)) for text in ("53", "80", "443", "1024", "3478", "65535")]
_NO_TURN_PORTS: Final = _NO_PORTS + [
    (text, "53, 80, 443 or a port from 1024 on that browsers do not block") for text in ("1", "853", "1023", "5060")
]
_MEDIA_PORTS: Final = [(text, int(text)) for text in ("80", "443", "1024", "10000", "65535")]
_NO_MEDIA_PORTS: Final = _NO_PORTS + [
    (text, "a port: 80, 443 or from 1024 to 65535") for text in ("1", "53", "79", "81", "442", "444", "1023")
]
_NO_PASSWORDS: Final = [
    *((f"blank or meta {char} character", "letters, digits and") for char in " *?$`\"'\\!&|;<>()[]{}#\n\t"),
    ("päßwörter-aus-umlauten", "letters, digits and"),
    *((f"{char}starts-with-it", "but not first") for char in "-:="),
    ("short", "12 to 256 characters; this one has 5"),
    ("x" * 257, "this one has 257"),
]
_PASSWORDS: Final = [(text, text) for text in ("0123456789ab", "f" * 32, "A.b_c~d+e/f=g:h@i%j,k-l", "x" * 256)]
_ADDRESSES: Final = [
    ("0.0.0.0", (ip_address("0.0.0.0"),)),
    ("127.0.0.1", (ip_address("127.0.0.1"),)),
    ("0.0.0.0,::", (ip_address("0.0.0.0"), ip_address("::"))),
    ("192.0.2.5", (ip_address("192.0.2.5"),)),
    ("::ffff:192.0.2.5", (ip_address("192.0.2.5"),)),
    ("::,192.0.2.5", (ip_address("::"), ip_address("192.0.2.5"))),
]
_NO_ADDRESSES: Final = [
    (text, "IP addresses of the Docker host")
    for text in ("localhost", "1.2.3", "300.1.1.1", "192.0.2.5:80", "fe80::1%eth0", "224.0.0.1", "192.0.2.0/24")
] + [
    ("fe80::1", "without the name of a network card"),
    ("0.0.0.0,192.0.2.5", "0.0.0.0 without another IPv4 address"),
    ("2001:db8::1,0.0.0.0,::", ":: without another IPv6 address"),
    ("192.0.2.5,::ffff:192.0.2.5", "each one once"),
    ("2001:db8::1,2001:DB8:0::1", "each one once"),
]
_SERVICE_URLS: Final = [
    (text, text)
    for text in (
        "https://app.example.org/service",
        "https://keycloak.example.org/auth",
        "http://videoservice:8080",
        "http://10.0.0.2:8080/a%20b/c",
    )
] + [
    ("HTTPS://App.Example.org/", "https://app.example.org"),
    ("https://app.example.org/Service/", "https://app.example.org/Service"),
    ("http://[::ffff:10.0.0.2]:8080/", "http://10.0.0.2:8080"),
]
_NO_SERVICE_URLS: Final = [
    ("app.example.org", "http(s)://HOST[:PORT][/PATH]"),
    ("ftp://app.example.org", "http(s)://HOST[:PORT][/PATH]"),
    ("https:///service", "http(s)://HOST[:PORT][/PATH]"),
    ("https://user:word@app.example.org", "no user name or password"),
    ("https://app.example.org/?x=1", "http(s)://HOST[:PORT][/PATH]"),
    ("https://app.example.org/#x", "http(s)://HOST[:PORT][/PATH]"),
    ("https://app.example.org/a b", "http(s)://HOST[:PORT][/PATH]"),
    ("https://app.example.org/ä", "http(s)://HOST[:PORT][/PATH]"),
    ("https://app.example.org/a//b", "http(s)://HOST[:PORT][/PATH]"),
    ("https://app.example.org:0", "http(s)://HOST[:PORT][/PATH]"),
    ("https://app.example.org/../x", "no part of PATH is . or .."),
    ("https://app.example.org/%2e%2E", "no part of PATH is . or .."),
    ("https://app.example.org/service/videocalls", "prosody appends the rest by itself"),
    ("https://keycloak.example.org/auth/realms/online-beratung/", "prosody appends the rest by itself"),
    ("http://[fd00::5]:8080", "HOST is a name or an IPv4 address"),
    ("http://0.0.0.0:8080", "that prosody can reach"),
    ("https://10.0.0.2", "with https HOST is a name"),
]
_KEYCLOAK_NAMES: Final = [(text, text) for text in ("online-beratung", "app", "Jörg: Ä/1", "x" * 255)]
_NO_KEYCLOAK_NAMES: Final = [
    (text, "1 to 255 characters") for text in ("", " ", " app", "app ", "a\nb", "\x00", ".", "..", "x" * 256)
]
_SERVICE_PASSWORDS: Final = [("x", "x"), ("p\"a\\s's wörd:$`", "p\"a\\s's wörd:$`")]
_NO_SERVICE_PASSWORDS: Final = [(text, "without control characters") for text in ("a\nb", "\x00")]
_NAMES: Final = [("videoservice,other app", ("videoservice", "other app")), ("Ä-1", ("Ä-1",)), ("*", ("*",))]
_NO_NAMES: Final = [
    ("one, two", "no spaces and no empty items"),
    ("one ,two", "no spaces and no empty items"),
    ("one,,two", "no spaces and no empty items"),
    ("one,two,", "no spaces and no empty items"),
    (",", "no spaces and no empty items"),
    (" ", "no spaces and no empty items"),
    ("one,one", "each one once"),
    ('quo"te', "without"),
    ("back\\slash", "without"),
    ("line\nbreak", "without"),
    ("x" * 256, "1 to 255 characters"),
    ("a${user.name}", "no ${ and no #{"),
    ("b,a#{1}", "no ${ and no #{"),
]

GOOD: Final[dict[str, list[tuple[str, Any]]]] = {
    "publicUrl": [
        ("https://video.example.org", PublicUrl("video.example.org", 443)),
        ("https://video.example.org/", PublicUrl("video.example.org", 443)),
        ("https://Video.Example.ORG:443", PublicUrl("video.example.org", 443)),
        ("HTTPS://onlineberatung.local:8443", PublicUrl("onlineberatung.local", 8443)),
        ("https://192.0.2.10:8443", PublicUrl("192.0.2.10", 8443)),
        ("https://[2001:db8::1]:8443", PublicUrl("2001:db8::1", 8443)),
        ("https://localhost:8443", PublicUrl("localhost", 8443)),
        ("https://[::ffff:192.0.2.10]:8443", PublicUrl("192.0.2.10", 8443)),
        ("https://a--b.example.org", PublicUrl("a--b.example.org", 443)),
        ("https://xn--bcher-kva.example", PublicUrl("xn--bcher-kva.example", 443)),
    ],
    "httpPort": _PORTS,
    "httpsPort": _PORTS,
    "tls": [(mode, mode) for mode in ("local-ca", "own", "letsencrypt", "proxy", "self-signed")],
    "tlsCertificate": [(TLS_OWN["tlsCertificate"], TLS_OWN["tlsCertificate"])],
    "tlsPrivateKey": [(TLS_OWN["tlsPrivateKey"], TLS_OWN["tlsPrivateKey"])],
    "letsencryptEmail": [("admin@example.org", "admin@example.org"), ("a.b+c@x-y.example", "a.b+c@x-y.example")],
    "letsencryptUseStaging": _BOOLEANS,
    "letsencryptAcmeServer": [
        ("https://acme.example.org/directory", "https://acme.example.org/directory"),
        ("HTTPS://ACME.example.org:14000/Dir", "https://acme.example.org:14000/Dir"),
    ],
    "turn": [("external", "external"), ("embedded", "embedded")],
    "turnHost": [
        ("::ffff:192.0.2.4", "192.0.2.4"),
        ("turn.example.org", "turn.example.org"),
        ("TURN.Example.Org", "turn.example.org"),
        ("192.0.2.4", "192.0.2.4"),
    ],
    "turnPort": _TURN_PORTS,
    "turnsPort": _TURN_PORTS,
    "turnRelayPorts": [
        ("49160-49209", (49160, 49209)),
        ("1024-1523", (1024, 1523)),
        ("65534-65535", (65534, 65535)),
    ],
    "turnSecret": _PASSWORDS,
    "bindAddress": _ADDRESSES,
    "dockerHostAddress": [
        ("192.0.2.10", (HostAddress(ip_address("192.0.2.10"), None),)),
        (
            "203.0.113.10#10001,2001:DB8::1",
            (HostAddress(ip_address("203.0.113.10"), 10001), HostAddress(ip_address("2001:db8::1"), None)),
        ),
        ("::ffff:203.0.113.9", (HostAddress(ip_address("203.0.113.9"), None),)),
        ("203.0.113.9#443", (HostAddress(ip_address("203.0.113.9"), 443),)),
    ],
    "jvbPort": _MEDIA_PORTS,
    "jvbBindAddress": _ADDRESSES,
    "stunServers": [
        ("stun.example.org:3478", ("stun.example.org:3478",)),
        ("192.0.2.3:443,stun.example.org:3478", ("192.0.2.3:443", "stun.example.org:3478")),
        ("STUN.example.org:03478", ("stun.example.org:3478",)),
    ],
    "enableAuth": _BOOLEANS,
    "enableGuests": _BOOLEANS,
    "authType": [("jwt", "jwt"), ("internal", "internal")],
    "jwtAppId": [("videobackend", "videobackend"), ("Jitsi App 1", "Jitsi App 1")],
    "jwtAppSecret": [
        (text, text) for text in ("0123456789abcdef" * 2, "ä" * 16, "with space and 'quote' and $ signs!")
    ],
    "jwtAcceptedIssuers": _NAMES,
    "jwtAcceptedAudiences": _NAMES,
    "xmppMucModules": [
        ("token_moderation,close_room,create_room", ("token_moderation", "close_room", "create_room")),
        ("muc_size", ("muc_size",)),
        ("token_lobby_bypass,close_room,muc_mam", ("token_lobby_bypass", "close_room", "muc_mam")),
    ],
    "conferenceTimeout": [("0", 0), ("20", 20), ("3600", 3600)],
    "rabbitMq": [("embedded", "embedded")],
    "brandingDir": [("branding", "branding"), ("../look", "../look")],
    "enableEndConference": _BOOLEANS,
    "maxParticipants": [("2", 2), ("1000", 1000)],
    "language": [("de", "de"), ("pt-BR", "pt-BR"), ("dsb", "dsb")],
    "logLevel": [(text, text) for text in ("debug", "info", "warn", "error")],
    "webMemory": [("256m", 256), ("1g", 1024)],
    "prosodyMemory": [("2048m", 2048)],
    "jicofoMemory": [("768m", 768), ("2g", 2048)],
    "jvbMemory": [("1536m", 1536), ("16g", 16384), ("1024g", 1048576)],
    "environment": [
        (
            '{"jvb": {"VIDEOBRIDGE_MAX_MEMORY": "1g"}}',
            (Variable(service="jvb", name="VIDEOBRIDGE_MAX_MEMORY", value="1g"),),
        ),
        (
            '{"web": {"RESOLUTION": 720, "ENABLE_P2P": false}, "jicofo": {"BRIDGE_STRESS_THRESHOLD": 0.80}}',
            (
                Variable(service="web", name="RESOLUTION", value="720"),
                Variable(service="web", name="ENABLE_P2P", value="false"),
                Variable(service="jicofo", name="BRIDGE_STRESS_THRESHOLD", value="0.80"),
            ),
        ),
        (
            '{"prosody": {"XMPP_CONFIGURATION": "a = \\"b\\""}}',
            (Variable(service="prosody", name="XMPP_CONFIGURATION", value='a = "b"'),),
        ),
    ],
    "enableLobby": _BOOLEANS,
    "enableBreakoutRooms": _BOOLEANS,
    "enablePrejoinPage": _BOOLEANS,
    "enableClosePage": _BOOLEANS,
    "embeddedBy": [
        ("self", ()),
        ("https://app.example.org", ("https://app.example.org",)),
        ("https://App.Example.org/,http://localhost:9001", ("https://app.example.org", "http://localhost:9001")),
        ("http://192.168.1.5:9000,https://[2001:db8::5]", ("http://192.168.1.5:9000", "https://[2001:db8::5]")),
    ],
    "jicofoComponentSecret": _PASSWORDS,
    "jicofoAuthPassword": _PASSWORDS,
    "jvbAuthPassword": _PASSWORDS,
    "jigasiXmppPassword": _PASSWORDS,
    "jibriRecorderPassword": _PASSWORDS,
    "jibriXmppPassword": _PASSWORDS,
    "enableStatistics": _BOOLEANS,
    "rabbitUrl": [
        (text, text)
        for text in (
            "http://mq:15672/api/exchanges/%2F/statistics.topic/publish",
            "https://mq.example.org/api/exchanges/video/my%20exchange/publish",
            "http://mq:15672/api/exchanges/a/amq.topic/publish",
        )
    ]
    + [
        ("HTTPS://MQ.example.org/api/exchanges/%2f/A/publish", "https://mq.example.org/api/exchanges/%2f/A/publish"),
        (
            "http://[::ffff:10.0.0.2]:15672/api/exchanges/%2F/a/publish",
            "http://10.0.0.2:15672/api/exchanges/%2F/a/publish",
        ),
    ],
    "rabbitUsername": [("statistics", "statistics"), ("Jörg Ä", "Jörg Ä")],
    "rabbitPassword": _SERVICE_PASSWORDS,
    "videoServiceUrl": _SERVICE_URLS,
    "keycloakUrl": _SERVICE_URLS,
    "keycloakRealm": _KEYCLOAK_NAMES,
    "keycloakClientId": _KEYCLOAK_NAMES,
    "videoServiceUsername": _KEYCLOAK_NAMES,
    "videoServicePassword": _SERVICE_PASSWORDS,
    "dnsZone": [("example.org", "example.org"), ("Example.ORG.", "example.org"), ("a.co.uk", "a.co.uk")],
    "dnsZoneId": [("0123456789abcdef" * 2, "0123456789abcdef" * 2)],
    "dnsTtl": [("1", 1), ("60", 60), ("86400", 86400)],
    "imageRegistry": [
        (text, text)
        for text in ("ghcr.io/jitsi", "localhost:5000/jitsi", "jitsi", "registry.example.org:443/a/b-c/d__e")
    ],
    "jitsiRelease": [(text, text) for text in ("stable-11146-2", "stable-11146", "stable-12000", "stable-11146-10")],
    "timeZone": [(text, text) for text in ("Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5")],
    "restartPolicy": [(text, text) for text in ("no", "on-failure", "always", "unless-stopped")],
    "logMaxSize": [(text, text) for text in ("500k", "10m", "1g")],
    "logMaxFiles": [("1", 1), ("100", 100)],
    "policyExceptions": [
        ("care until 2027-02-28 because the image has none", "care until 2027-02-28 because the image has none"),
        (
            "care until 2027-02-28 because the old image has no health check;\n sign-in until 2026-12-31 because a demonstration ;",
            "care until 2027-02-28 because the old image has no health check; sign-in until 2026-12-31 because a demonstration",
        ),
    ],
}

BAD: Final[dict[str, list[tuple[str, str]]]] = {
    "publicUrl": [
        ("video.example.org", "https://HOST"),
        ("//video.example.org", "https://HOST"),
        ("https://", "https://HOST"),
        ("https://:8443", "https://HOST"),
        ("https:video.example.org", "https://HOST"),
        ("http://video.example.org", "browsers give camera and microphone to https pages only"),
        ("ftp://video.example.org", "https://HOST"),
        ("https://video.example.org/meet", "no path, query or fragment"),
        ("https://video.example.org/?room=1", "no path, query or fragment"),
        ("https://video.example.org?", "no path, query or fragment"),
        ("https://video.example.org#a", "no path, query or fragment"),
        ("https://video.example.org:0", "https://HOST"),
        ("https://video.example.org:", "https://HOST"),
        ("https://video.example.org:65536", "https://HOST"),
        ("https://video.example.org:port", "https://HOST"),
        ("https://user:word@video.example.org", "no user name or password"),
        (" https://video.example.org", "https://HOST"),
        ("https://video.example.org\n", "https://HOST"),
        ("https://video example.org", "https://HOST"),
        ("https://video_1.example.org", "letters, digits, dots and hyphens"),
        ("https://-video.example.org", "letters, digits, dots and hyphens"),
        ("https://video..example.org", "letters, digits, dots and hyphens"),
        ("https://999.1.1.1", "letters, digits, dots and hyphens"),
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("https://[::1", "https://HOST"),
        ("https://0.0.0.0", "that browsers can reach"),
        ("https://255.255.255.255:8443", "that browsers can reach"),
        ("https://[::]", "that browsers can reach"),
        ("https://*.example.org", "letters, digits, dots and hyphens"),
        ('https://a"b.example.org', "letters, digits, dots and hyphens"),
        (f"https://{'a' * 64}.example.org", "letters, digits, dots and hyphens"),
        ("https://straße.example", "xn--strae-oqa.example"),
        ("https://a.0x7f", "letters, digits, dots and hyphens"),
        ("https://1.2.3.0xg.0x", "letters, digits, dots and hyphens"),
        ("https://xn--a.example", "letters, digits, dots and hyphens"),
        ("https://video.example.org:6000", "they block 6000"),
        ("https://video.example.org:25", "they block 25"),
        ("https://video.example.org/room?jwt=eyJhbGciOi", "no path, query or fragment"),
        ("https://[ff02::1]", "that browsers can reach"),
        ("https://[fe80::1]", "that browsers can reach"),
        ("https://169.254.1.1", "that browsers can reach"),
        ("https://meet.jitsi", "XMPP's within the stack"),
    ],
    "httpPort": _NO_PORTS,
    "httpsPort": _NO_PORTS,
    "tls": [(text, "local-ca, own, letsencrypt, proxy or self-signed") for text in ("none", "Own", "local_ca")],
    "tlsCertificate": [(text, "PEM text") for text in ("certificate.pem", "-----BEGIN CERTIFICATE-----", "\x00")],
    "tlsPrivateKey": [(text, "PEM text") for text in ("key.pem", "-----BEGIN PRIVATE KEY-----\n!", "\x00")],
    "letsencryptEmail": [
        (text, "an e-mail address")
        for text in (
            "admin",
            "a@b",
            "a b@example.org",
            "a;b@example.org",
            "a..b@example.org",
            "a@-b.example.org",
            "a@192.0.2.1",
            "-a@example.org",
            "--x@example.org",
        )
    ],
    "letsencryptUseStaging": _NO_BOOLEANS,
    "letsencryptAcmeServer": [
        (text, "the https URL of an ACME directory")
        for text in (
            "http://acme.example.org/d",
            "acme.example.org",
            "https://acme.example.org/d;id",
            "https://u:p@acme/",
            "letsencrypt",
            "letsencrypt_test",
        )
    ],
    "turn": [(text, "embedded or external") for text in ("true", "Embedded", "coturn", "none")],
    "turnHost": [
        (text, "a host name or an IPv4 address, without port")
        for text in (
            *("turn.example.org:3478", "turn:turn.example.org", "turn_1.example.org", "a b", "2001:db8::1"),
            *("localhost", "turn.localhost", "127.0.0.1", "0.0.0.0", "turn.0x1", "u:p@turn.example.org"),
        )
    ],
    "turnPort": _NO_TURN_PORTS,
    "turnsPort": _NO_TURN_PORTS,
    "turnRelayPorts": [
        (text, "FIRST-LAST from 1024 to 65535, 2 to 500 ports")
        for text in (
            "49160",
            "49160-49160",
            "49209-49160",
            "1023-1100",
            "65000-65536",
            "1024-1524",
            "49160 - 49209",
            "49160:49209",
            "٤٩١٦٠-49209",
        )
    ],
    "turnSecret": _NO_PASSWORDS,
    "bindAddress": _NO_ADDRESSES,
    "dockerHostAddress": [
        ("127.0.0.1", "not loopback"),
        ("127.1.2.3", "not loopback"),
        ("::1", "not loopback"),
        ("0.0.0.0", "not loopback"),
        ("::", "not loopback"),
        ("239.1.1.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::ffff:127.0.0.1", "not loopback"),
        ("192.0.2.10,127.0.0.1", "not loopback"),
        ("video.example.org", "no host names"),
        ("192.0.2", "IP addresses"),
        ("192.0.2.010", "IP addresses"),
        ("192.0.2.10:10000", "IP addresses"),
        ("192.0.2.10/24", "IP addresses"),
        ("fe80::1%eth0", "IP addresses"),
        ("fe80::1", "link-local"),
        ("169.254.1.1", "link-local"),
        ("192.0.2.10#", "IP#PORT with port 80, 443 or from 1024 to 65535"),
        ("192.0.2.10#0", "IP#PORT with port 80, 443 or from 1024 to 65535"),
        ("192.0.2.10#70000", "IP#PORT with port 80, 443 or from 1024 to 65535"),
        ("192.0.2.10#53", "IP#PORT with port 80, 443 or from 1024 to 65535"),
        ("192.0.2.10#1023", "IP#PORT with port 80, 443 or from 1024 to 65535"),
        ("192.0.2.10#1#2", "IP#PORT with port 80, 443 or from 1024 to 65535"),
        ("192.0.2.10, 192.0.2.11", "no spaces and no empty items"),
        ("192.0.2.10,", "no spaces and no empty items"),
        ("192.0.2.10,192.0.2.10", "each one once"),
        ("192.0.2.10,::ffff:192.0.2.10", "each one once"),
        ("::ffff:0.0.0.0", "not loopback"),
        ("0.1.2.3", "reserved"),
        ("240.0.0.1", "reserved"),
    ],
    "jvbPort": _NO_MEDIA_PORTS,
    "jvbBindAddress": _NO_ADDRESSES,
    "stunServers": [
        ("stun.example.org", "HOST:PORT"),
        ("stun.example.org:", "HOST:PORT"),
        ("stun.example.org:99999", "HOST:PORT"),
        (":3478", "HOST:PORT"),
        ("stun:stun.example.org:3478", "HOST:PORT"),
        ("a.example.org:1, b.example.org:2", "no spaces and no empty items"),
        ('"x":1', "HOST:PORT"),
        ("2001:db8::1:3478", "HOST:PORT with a host name or IPv4 address"),
        ("[2001:db8::1]:3478", "HOST:PORT with a host name or IPv4 address"),
        ("0.0.0.0:3478", "HOST:PORT with a host name or IPv4 address"),
        ("localhost:3478", "HOST:PORT with a host that bridge and participants reach"),
        ("127.0.0.1:3478", "HOST:PORT with a host that bridge and participants reach"),
        ("stun.example.org:5060", "HOST:PORT with a port that browsers open"),
        ("a.example.org:2,A.example.org:2", "each one once"),
    ],
    "enableAuth": _NO_BOOLEANS,
    "enableGuests": _NO_BOOLEANS,
    "authType": [(text, "jwt or internal") for text in ("JWT", "ldap", "matrix", "", "none")],
    "jwtAppId": [('a"b', "without"), ("a\\b", "without"), ("a,b", "without"), (" a", "without"), ("a\n", "without")],
    "jwtAppSecret": [
        ("x" * 31, "at least 32 bytes (256 bits); this one has 31"),
        ("ä" * 15, "this one has 30"),
        ('"' + "x" * 40, "the prosody image cannot carry them"),
        ("\\" + "x" * 40, "the prosody image cannot carry them"),
        ("x" * 40 + "\n", "the prosody image cannot carry them"),
        ("x" * 40 + " ", "the prosody image cannot carry them"),
        ("\ud800" * 40, "the prosody image cannot carry them"),
        ("x" * 40 + "${a}", "no ${ and no #{"),
    ],
    "jwtAcceptedIssuers": _NO_NAMES,
    "jwtAcceptedAudiences": _NO_NAMES,
    "xmppMucModules": [
        ("token_moderation, close_room", "no spaces and no empty items"),
        ("token_moderation,,close_room", "no spaces and no empty items"),
        ("close_room,close_room", "each one once"),
        ("mod_close_room", "without the prefix mod_"),
        ("Close_Room", "module names of lower-case letters"),
        ("close-room", "module names of lower-case letters"),
        ('close_room"', "module names of lower-case letters"),
        ("token_moderation,close_rom", "no module close_rom: did you mean close_room?"),
        ("weather_report", "no module weather_report: Prosody would only log that it is missing"),
        *(
            (text, "belongs elsewhere in prosody")
            for text in ("c2s", "muc", "admin_shell", "saslauth", "account_sync", "muc_lobby_rooms", "polls_component")
        ),
    ],
    "rabbitMq": [(text, "embedded, for a broker to try things out") for text in ("true", "external", "Embedded")],
    "brandingDir": [("bran\nding", "the path of a directory"), ("bran\x00ding", "the path of a directory")],
    "conferenceTimeout": [(text, "a whole number from 0 to 3600") for text in ("-1", "3601", "20s", "1.5")],
    "enableEndConference": _NO_BOOLEANS,
    "maxParticipants": [(text, "a whole number from 2 to 1000") for text in ("0", "1", "1001", "ten", "")],
    "language": [(text, "a language of the front end") for text in ("German", "de_DE", "DE", "xx", "en-GB", "")],
    "logLevel": [(text, "debug, info, warn or error") for text in ("warning", "INFO", "trace", "loud", "")],
    "webMemory": [(text, "from 256m to 1024g") for text in ("255m", "512", "512M", "1.5g", "-1g", "0m", "2t", "")],
    "prosodyMemory": [("100m", "from 256m to 1024g")],
    "jicofoMemory": [("512m", "from 768m to 1024g")],
    "jvbMemory": [("1g", "from 1536m to 1024g"), ("1025g", "from 1536m to 1024g")],
    "environment": [
        ("jvb", "a map of services"),
        ('["jvb"]', "a map of services"),
        ('{"jvb": ', "a map of services"),
        ('{"jbv": {}}', "did you mean jvb?"),
        ('{"coturn": {}}', "there are web, prosody, jicofo, jvb"),
        ('{"jvb": "JVB_LOG_FILE=x"}', "a map of variables"),
        ('{"jvb": {"jvbLogFile": "x"}}', "capitals, digits and _"),
        ('{"jvb": {"JVB_LOG_FILE": ["x"]}}', "a text, a number, true or false"),
        ('{"jvb": {"JVB_LOG_FILE": null}}', "a text, a number, true or false"),
        ('{"jvb": {"JVB_LOG_FILE": ""}}', "without one the variable is as good as unset"),
        ('{"jvb": {"JVB_LOG_FILE": "a\\nb"}}', "one line"),
        ('{"jvb": {"JVB_LOG_FILE": "{{ .Env.X }}"}}', "no {{"),
        ('{"jvb": {"JVB_LOG_FILE": "a\\"b"}}', "no quotes"),
        ('{"web": {"TOOLBAR_BUTTONS": "it\'s"}}', "no quotes"),
        ('{"jvb": {"JVB_LOG_FILE": "a\\\\"}}', "no quotes"),
        ('{"jvb": {"JVB_LOG_FILE": " a"}}', "no blank at either end"),
    ],
    "enableLobby": _NO_BOOLEANS,
    "enableBreakoutRooms": _NO_BOOLEANS,
    "enablePrejoinPage": _NO_BOOLEANS,
    "enableClosePage": _NO_BOOLEANS,
    "embeddedBy": [
        *(
            (text, "self, or origins such as https://app.example.org")
            for text in ("http://app.example.org", "*", "ftp://a.b")
        ),
        ("https://app.example.org/login", "no path, query or fragment"),
        ("https://user:pass@app.example.org", "no user name or password"),
        ("self,https://app.example.org", "self, or origins such as"),
        ("https://a.example.org, https://b.example.org", "no spaces"),
        ("https://a.example.org;script-src", "self, or origins such as"),
        ("https://*.example.org", "no path, query or fragment"),
        ('https://a".example.org', "no path, query or fragment"),
    ],
    "jicofoComponentSecret": _NO_PASSWORDS,
    "jicofoAuthPassword": _NO_PASSWORDS,
    "jvbAuthPassword": _NO_PASSWORDS,
    "jigasiXmppPassword": _NO_PASSWORDS,
    "jibriRecorderPassword": _NO_PASSWORDS,
    "jibriXmppPassword": _NO_PASSWORDS,
    "enableStatistics": _NO_BOOLEANS,
    "rabbitUrl": [
        ("amqp://mq:5672", "http(s)://HOST:15672/api/exchanges"),
        ("mq:15672/api/exchanges/%2F/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http:///api/exchanges/%2F/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://guest:guest@mq:15672/api/exchanges/%2F/a/publish", "no user name or password"),
        ("http://mq:15672/", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:0/api/exchanges/%2F/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:/api/exchanges/%2F/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:15672/api/exchanges///a/publish", "the vhost / is written %2F"),
        ("http://mq:15672/api/exchanges/%2F/a", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:15672/api/exchanges/%2F/a/publish/", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:15672/api/exchanges/%2F/a/publish?x=1", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:15672/api/queues/%2F/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://m q:15672/api/exchanges/%2F/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:x/api/exchanges/%2F/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://[fd00::5]:15672/api/exchanges/%2F/a/publish", "HOST is a name or an IPv4 address"),
        ("http://0.0.0.0:15672/api/exchanges/%2F/a/publish", "that prosody can reach"),
        ("http://mq:15672/api/exchanges/%2F/../publish", "neither VHOST nor EXCHANGE is . or .."),
        ("http://mq:15672/api/exchanges/%2e%2E/a/publish", "neither VHOST nor EXCHANGE is . or .."),
        ("http://mq:15672/api/exchanges/./a/publish", "neither VHOST nor EXCHANGE is . or .."),
        ("http://mq:15672/api/exchanges/%2/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:15672/api/exchanges/%2F/ä/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:15672/api/exchanges/%2F/a/publish?", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:5672/api/exchanges/%2F/a/publish", "port 5672 is AMQP's"),
        ("http://mq:15672/api/exchanges/%252F/a/publish", "%252F is the vhost %2F"),
        ("http:/\ud800/mq:15672/api/exchanges/%2F/a/publish", "http(s)://HOST:15672/api/exchanges"),
        ("http://mq:15672/a/../api/exchanges/%2F/a/publish", "which mean another path"),
    ],
    "rabbitUsername": [("a:b", "without colon"), ("a\nb", "without colon")],
    "rabbitPassword": _NO_SERVICE_PASSWORDS,
    "videoServiceUrl": _NO_SERVICE_URLS,
    "keycloakUrl": _NO_SERVICE_URLS,
    "keycloakRealm": _NO_KEYCLOAK_NAMES,
    "keycloakClientId": _NO_KEYCLOAK_NAMES,
    "videoServiceUsername": _NO_KEYCLOAK_NAMES,
    "videoServicePassword": _NO_SERVICE_PASSWORDS,
    "dnsZone": [
        (text, "a zone's name")
        for text in ("example", "192.0.2.1", "*.example.org", "a b.org", "https://a.org", "a.org..")
    ]
    + [("bücher.example", "xn--bcher-kva.example")],
    "dnsZoneId": [(text, "32 hexadecimal digits") for text in ("example.org", "F" * 32, "0" * 31, "0" * 33)],
    "dnsTtl": [(text, "1 (automatic) or 60 to 86400") for text in ("0", "2", "59", "86401", "auto", "1h")],
    "imageRegistry": [
        (text, "a registry and path in lower case")
        for text in (
            "https://deploy:hunter2@ghcr.io/jitsi",
            "ghcr.io/jitsi/",
            "https://ghcr.io/jitsi",
            "Ghcr.io/Jitsi",
            "ghcr.io/jitsi:latest",
            "a b",
            "/jitsi",
            "ghcr.io/jitsi/web",
            "hub.docker.com/r/jitsi",
            "registry:99999/jitsi",
        )
    ],
    "policyExceptions": [
        (text, "RULE until YYYY-MM-DD because REASON of 10 to 300 characters")
        for text in (
            "care",
            "care until 2027-02-30 because there is no such day",
            "care until tomorrow because the old image has none",
            "care until 2027-02-28 because short",
            "care until 2027-02-28 because the first of two; care until 2027-03-28 because the second of two",
            "care until 2027-02-28",
            ";",
        )
    ],
    "jitsiRelease": [
        ("stable", "a release tag such as stable-11146-2"),
        ("latest", "a release tag such as stable-11146-2"),
        ("unstable", "a release tag such as stable-11146-2"),
        ("stable-11146-2@sha256:0", "a release tag such as stable-11146-2"),
        ("11146", "a release tag such as stable-11146-2"),
        ("stable-7210-2", "stable-11146 or newer"),
        ("stable-11145-9", "stable-11146 or newer"),
        *((text, "a release tag") for text in ("stable-11146-0", "stable-011146", "stable-11146-02")),
        ("stable-0", "stable-11146 or newer"),
    ],
    "timeZone": [
        (text, "IANA time zone")
        for text in (
            *("Berlin", "Europe/Nowhere", "../etc/passwd", "CEST+1 ", "", "posix/Europe/Berlin", "right/UTC"),
            *("US/Pacific", "GB", "Europe/Kiev", "Asia/Calcutta", "localtime", "Factory", "EST5EDT", "europe/berlin"),
        )
    ],
    "restartPolicy": [
        (text, "no, on-failure, always or unless-stopped") for text in ("never", "Always", "on-failure:3")
    ],
    "logMaxSize": [(text, "a size with its unit") for text in ("10", "10MB", "0m", "1.5g", "-1m", "m")],
    "logMaxFiles": [(text, "a whole number from 1 to 100") for text in ("0", "101", "three")],
}

VALID: Final = {name: [text for text, _ in pairs] for name, pairs in GOOD.items()} | {
    name: [secret] for name, secret in OWN_SECRETS.items()
}
"""Accepted texts of each key; recognisable ones for the secret keys."""
