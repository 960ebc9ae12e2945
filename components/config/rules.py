"""Rules between keys: what must hold for a configuration as a whole, and what is legal but smells.

Owns problems and warnings that need more than one key. Does not own the check of a single value (`checks`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from components.config import branding
from components.config.addresses import is_private, parse_ip
from components.config.problems import Problem

if TYPE_CHECKING:
    from components.config.settings import Settings

_TOKEN_MODULES: Final = ("token_moderation", "create_room")


def problems(settings: Settings, broken: Collection[str] = ()) -> list[Problem]:
    """What contradicts itself.

    Args:
        settings: values of every key; those of `broken` are defaults.
        broken: attributes whose own check failed: rules that need them are skipped.
    """
    found: list[Problem] = []
    for rule, needs in _RULES:
        if not set(needs) & set(broken):
            found += rule(settings)
    return found


def held_ports(settings: Settings) -> list[tuple[str, int, str, tuple[str, ...]]]:
    """The ports of the Docker host that services of the stack hold: key, number, what for, protocols."""
    listed: list[tuple[str, int, str, tuple[str, ...]]] = [
        ("httpPort", settings.http_port, "web's HTTP", ("tcp",)),
        ("jvbPort", settings.jvb_port, "jvb's media", ("udp",)),
    ]
    if settings.tls_mode != "proxy":
        listed.insert(1, ("httpsPort", settings.https_port, "web's HTTPS", ("tcp",)))
    if settings.turn == "embedded":
        listed.append(("turnPort", settings.turn_port, "TURN's", ("tcp", "udp")))
        if settings.turn_tls:
            listed.append(("turnsPort", settings.turns_port, "TURN's TLS", ("tcp",)))
    return listed


def _ports(settings: Settings) -> Iterator[Problem]:
    taken: dict[tuple[str, int], str] = {}
    for key, number, what, protocols in held_ports(settings):
        others = [taken[protocol, number] for protocol in protocols if (protocol, number) in taken]
        if others:
            yield Problem(
                key, repr(str(number)), f"a port that no other service of the stack has; {others[0]} has this one"
            )
        else:
            taken |= {(protocol, number): f"{what} port ({key})" for protocol in protocols}
    first, last = settings.turn_relay_ports
    for (protocol, number), what in taken.items():
        if settings.turn == "embedded" and protocol == "udp" and first <= number <= last:
            allowed = f"ports that no other service of the stack has; {what} lies among these"
            yield Problem("turnRelayPorts", f"{first}-{last}", allowed, example="49160-49209")


def _moderators(settings: Settings) -> Iterator[Problem]:
    needing = [module for module in settings.muc_modules if module in _TOKEN_MODULES]
    if needing and not settings.token_auth:
        yield Problem(
            "xmppMucModules",
            ",".join(settings.muc_modules),
            f"{' and '.join(needing)} only with enableAuth true and authType jwt: without tokens nobody could be moderator",
            example="close_room",
        )


def _statistics(settings: Settings) -> Iterator[Problem]:
    if settings.embedded_broker:
        own = {
            "rabbitUrl": settings.rabbit_url,
            "rabbitUsername": settings.rabbit_username,
            "rabbitPassword": settings.rabbit_password,
        }
        for key in (key for key, value in own.items() if value is not None):
            yield Problem(
                key, None, "unset, because rabbitMq is embedded: the stack's own broker fills it in", remove=True
            )
        return
    if not settings.enable_statistics:
        return
    because = "required because enableStatistics is true"
    if settings.rabbit_url is None:
        example = "http://rabbitmq.example.org:15672/api/exchanges/%2F/statistics.topic/publish"
        yield Problem("rabbitUrl", None, f"{because}: the publish URL of RabbitMQ's management API", example=example)
    if settings.rabbit_username is None:
        yield Problem("rabbitUsername", None, f"{because}: a user that may publish to the exchange")
    if settings.rabbit_password is None:
        yield Problem("rabbitPassword", None, f"{because}: the password of rabbitUsername", secret=True)


def _tls(settings: Settings) -> Iterator[Problem]:
    mode = settings.tls_mode
    if mode == "own":
        yield from _own_certificate(settings)
    else:
        for key, value in (("tlsCertificate", settings.tls_certificate), ("tlsPrivateKey", settings.tls_private_key)):
            if value is not None:
                yield Problem(key, None, f"only with tls own; tls is {mode}", remove=True)
    if mode == "letsencrypt":
        yield from _letsencrypt(settings)


def _own_certificate(settings: Settings) -> Iterator[Problem]:
    certificate, private_key = settings.tls_certificate, settings.tls_private_key
    for key, what, value in (
        ("tlsCertificate", "the certificate chain", certificate),
        ("tlsPrivateKey", "the private key", private_key),
    ):
        if value is None:
            yield Problem(key, None, f"required because tls is own: {what} in PEM form", secret=True)
    if certificate is None or not certificate.readable:
        return
    from components.config import certificate as own_certificate  # loads cryptography

    chain = certificate.reveal()
    for allowed in own_certificate.certificate_faults(chain, settings.public_url.host):
        yield Problem("tlsCertificate", None, allowed, secret=True)
    if private_key is not None and private_key.readable:
        for allowed in own_certificate.key_faults(chain, private_key.reveal()):
            yield Problem("tlsPrivateKey", None, allowed, secret=True)


def _letsencrypt(settings: Settings) -> Iterator[Problem]:
    url, other = settings.public_url, "tls own, local-ca or proxy"
    if not url.is_public_name and settings.letsencrypt_acme_server is None:
        allowed = f"{other} for {url.host}: Let's Encrypt certifies public names only"
        yield Problem("tls", "letsencrypt", allowed, example="local-ca")
    if settings.letsencrypt_email is None:
        why = "tls is letsencrypt" if settings.tls else f"{url.host} is a public name and gets its certificate there"
        allowed = f"required because {why}; {other} need none"
        yield Problem("letsencryptEmail", None, allowed, example="admin@example.org")
    if settings.letsencrypt_use_staging and settings.letsencrypt_acme_server is not None:
        allowed = "unset beside letsencryptAcmeServer, which names the authority"
        yield Problem("letsencryptUseStaging", "'true'", allowed, remove=True)
    if settings.http_port != 80:
        allowed = f"80, because Let's Encrypt connects to that port; {other} take any"
        yield Problem("httpPort", repr(str(settings.http_port)), allowed, example="80")
    if all(address.is_loopback for address in settings.web_bind_address):
        allowed = f"an address that Let's Encrypt can reach; {other} take any"
        yield Problem("bindAddress", ",".join(map(str, settings.web_bind_address)), allowed, example="0.0.0.0")


def _turn(settings: Settings) -> Iterator[Problem]:
    if settings.turn == "external":
        if settings.turn_host is None:
            yield Problem("turnHost", None, "required because turn is external: its host", example="turn.example.org")
        if settings.turn_secret is None:
            yield Problem("turnSecret", None, "required because turn is external: the secret it shares", secret=True)
    elif settings.turn_host is not None:
        allowed = "only with turn external; the embedded server is at publicUrl's host"
        yield Problem("turnHost", repr(settings.turn_host), allowed, remove=True)
    if settings.turn == "embedded":
        yield from _embedded_turn(settings)


def _embedded_turn(settings: Settings) -> Iterator[Problem]:
    if ":" in settings.public_url.host:
        allowed = (
            "external or unset: clients look for the embedded server at publicUrl's host, and that is an IPv6 address"
        )
        yield Problem("turn", "'embedded'", allowed, remove=True)
    if not any(address.ip.version == 4 for address in settings.addresses):
        allowed = "an IPv4 address because turn is embedded: where clients reach the relay"
        given = ",".join(map(str, settings.addresses)) or None
        yield Problem("dockerHostAddress", given, allowed, example="192.0.2.10")
    if not any(ip.version == 4 or ip.is_unspecified for ip in settings.jvb_bind_address):
        given = ",".join(map(str, settings.jvb_bind_address))
        allowed = "an IPv4 address too because turn is embedded: where TURN listens and relays"
        yield Problem("jvbBindAddress", given, allowed, example="0.0.0.0")


def _branding(settings: Settings) -> Iterator[Problem]:
    if settings.branding_dir is not None:
        for allowed in branding.faults(settings.branding_dir):
            yield Problem("brandingDir", repr(settings.branding_dir), allowed, example="branding")


def _dns(settings: Settings) -> Iterator[Problem]:
    if settings.dns_zone is None:
        if settings.dns_zone_id is not None:
            yield Problem("dnsZone", None, "required because dnsZoneId is set: the zone's name", example="example.org")
        return
    url, zone = settings.public_url, settings.dns_zone
    outside = url.host != zone and not url.host.endswith("." + zone)
    if outside and not url.is_public_name:
        allowed = f"a URL whose host lies in dnsZone {zone}; {url.host} is no public name"
        yield Problem("publicUrl", repr(url.origin), allowed, example=f"https://video.{zone}")
    elif outside:
        parent = url.host.partition(".")[2]
        allowed = f"the zone that publicUrl's host {url.host} lies in"
        yield Problem("dnsZone", repr(zone), allowed, example=parent if "." in parent else url.host)
    if not any(not address.is_private for address in settings.addresses):
        given = ",".join(map(str, settings.addresses)) or None
        yield Problem(
            "dockerHostAddress",
            given,
            "at least one public address because dnsZone is set: the DNS records point to it",
            example="203.0.113.10",
        )


_RULES: Final = (
    (
        _ports,
        (
            "http_port",
            "https_port",
            "jvb_port",
            "turn",
            "turn_port",
            "turns_port",
            "turn_relay_ports",
            "tls",
            "public_url",
        ),
    ),
    (_turn, ("turn", "turn_host", "turn_secret", "docker_host_address", "jvb_bind_address", "public_url")),
    (_moderators, ("xmpp_muc_modules", "enable_auth", "auth_type")),
    (
        _tls,
        (
            "tls",
            "tls_certificate",
            "tls_private_key",
            "public_url",
            "http_port",
            "bind_address",
            "letsencrypt_email",
            "letsencrypt_acme_server",
            "letsencrypt_use_staging",
        ),
    ),
    (_branding, ("branding_dir",)),
    (_statistics, ("enable_statistics", "rabbit_mq")),
    (_dns, ("dns_zone", "dns_zone_id", "public_url", "docker_host_address")),
)


def warnings(settings: Settings) -> list[str]:
    """What is legal but smells: a sentence each, with the key and what to do."""
    return [text for smell in _SMELLS for text in smell(settings)]


def _public_port(settings: Settings) -> Iterator[str]:
    if settings.tls_mode != "proxy" and settings.public_url.port != settings.https_port:
        yield (
            f"publicUrl has port {settings.public_url.port} and httpsPort is {settings.https_port}: fine where a router or proxy "
            f"forwards the one to the other; otherwise set both to the same port"
        )
    if settings.tls_mode != "proxy" and settings.public_url.port == 443 and settings.http_port != 80:
        yield (
            f"publicUrl has port 443 and httpPort is {settings.http_port}: whoever types the name without https:// finds "
            f"nothing, unless a router or proxy forwards port 80 to it; otherwise set httpPort to 80"
        )


def _advertised(settings: Settings) -> Iterator[str]:
    url = settings.public_url
    public = url.is_public_name or (
        url.address is not None and not url.address.is_loopback and not is_private(url.address)
    )
    if not settings.addresses:
        reach = "participants elsewhere" if public else "other machines"
        yield (
            f"dockerHostAddress is not set: {reach} get no sound and picture from the bridge; "
            f"set it to {'the public address of the Docker host' if public else 'the address of the Docker host in your network'}"
        )
    elif public and all(address.is_private for address in settings.addresses):
        yield (
            f"dockerHostAddress {','.join(map(str, settings.addresses))} is private and publicUrl is public: participants outside "
            f"your network get no sound and picture; add the address at which the internet reaches the Docker host"
        )


def _open_doors(settings: Settings) -> Iterator[str]:
    if not settings.enable_auth:
        yield "enableAuth is false: whoever knows publicUrl can open rooms"
        if settings.enable_guests:
            yield "enableGuests has no effect while enableAuth is false"
    elif settings.token_auth and not settings.token_moderation:
        yield "xmppMucModules lacks token_moderation: whoever has a token becomes moderator"
    if settings.token_auth and "create_room" not in settings.muc_modules:
        yield "xmppMucModules lacks create_room: participants can open rooms without a moderator"


def _broker(settings: Settings) -> Iterator[str]:
    url = urlsplit(settings.rabbit_url or "")
    host = url.hostname or ""
    address = parse_ip(host)
    private = "." not in host if address is None else is_private(address)
    if settings.enable_statistics and url.scheme == "http" and not private:
        yield "rabbitUrl is http: the broker's password crosses the network readable; use https or a private network"
    loopback = host == "localhost" or (address is not None and address.is_loopback)
    if settings.enable_statistics and loopback:
        yield "rabbitUrl points to prosody's own container (localhost): give the broker's address as that container sees it"


def _certificate_age(settings: Settings) -> Iterator[str]:
    certificate = settings.tls_certificate
    if settings.tls_mode == "own" and certificate is not None and certificate.readable:
        from components.config import certificate as own_certificate  # loads cryptography

        days = own_certificate.days_left(certificate.reveal())
        if days is not None and days < own_certificate.WARN_DAYS:
            yield f"tlsCertificate ends in {days} days: get a new one and set tlsCertificate and tlsPrivateKey"


def _relay(settings: Settings) -> Iterator[str]:
    if settings.turn is None and settings.turn_secret is not None:
        yield "turnSecret has no effect while turn is unset"
    if settings.turn == "embedded" and not settings.turn_tls:
        yield (
            f"turn is embedded and tls is {settings.tls_mode}: TURN has no certificate then and speaks no TLS, so people whose "
            f"firewall lets nothing but TLS out are not reached; tls own or letsencrypt gives it one, turn external is another way"
        )


def _unused(settings: Settings) -> Iterator[str]:
    if settings.tls_mode != "letsencrypt":
        given = {
            "letsencryptEmail": settings.letsencrypt_email,
            "letsencryptUseStaging": settings.letsencrypt_use_staging,
            "letsencryptAcmeServer": settings.letsencrypt_acme_server,
        }
        yield from (f"{key} has no effect while tls is {settings.tls_mode}" for key, value in given.items() if value)
    if settings.embedded_broker and not settings.enable_statistics:
        yield "rabbitMq is embedded and enableStatistics is false: the broker runs and gets no events"
    if all(address.is_loopback for address in settings.jvb_bind_address):
        yield "jvbBindAddress is loopback: other machines get no sound and picture from the bridge"
    advertised = {address.ip.version for address in settings.addresses}
    for key, published in (("bindAddress", settings.web_bind_address), ("jvbBindAddress", settings.jvb_bind_address)):
        if 6 in advertised and all(address.version == 4 for address in published):
            yield (
                f"dockerHostAddress has an IPv6 address and {key} none: nothing answers there; "
                f"set {key} to 0.0.0.0,:: (docs/operations.md, IPv6), or leave the IPv6 address out"
            )


_SMELLS: Final = (_public_port, _advertised, _open_doors, _broker, _certificate_age, _relay, _unused)
