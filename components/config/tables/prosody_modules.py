"""Prosody modules that a room can load: the project's, those of the prosody image, and Prosody's own.

Prosody only logs a module that it does not find, so a misspelt one is refused here. Sources: jitsi/jitsi-meet,
resources/prosody-plugins, over its history but for what was renamed or gone by January 2026; jitsi-contrib/prosody-plugins
of 2026-05; Prosody 13.0. A test compares the first list with prosody/plugins, one of tests/consumers the last with an
installed Prosody.
"""

from __future__ import annotations

from typing import Final

_PROJECT: Final = """
    account_sync client_data close_room conference_requests create_room direct_stanzas log_masking room_entry
    room_lobby room_requests statistics_calls statistics_queue stop_calls token_moderation
"""
PROJECT: Final = frozenset(_PROJECT.split())

_JITSI: Final = """
    audio_translation_component av_moderation av_moderation_component client_proxy conference_duration
    conference_duration_component debug_traceback end_conference features_identity filesharing_component
    filter_direct_messages filter_iq_jibri filter_iq_rayo filter_messages firewall fmuc jibri_session jiconop
    jitsi_permissions jitsi_session limits_exception log_ringbuffer measure_message_count measure_stanza_counts
    muc_allowners muc_auth_ban muc_breakout_rooms muc_call muc_census muc_cleanup_backend_services muc_displayname
    muc_domain_mapper muc_end_meeting muc_filter_access muc_flip muc_hide_all muc_jigasi_invite muc_kick_jigasi
    muc_kick_participant muc_limit_messages muc_lobby_rooms muc_max_occupants muc_meeting_id muc_message_moderation
    muc_message_retract muc_moderator_hidden muc_password_check muc_password_whitelist muc_poltergeist muc_rate_limit
    muc_resource_validate muc_size muc_trace muc_transcription_filter muc_user_hidden muc_wait_for_host
    persistent_lobby polls_component poltergeist_component presence_identity presence_metrics rate_limit reservations
    room_destroy room_metadata room_metadata_component roster_command s2s_whitelist s2sout_override s2soutinjection
    secure_interfaces shadow_ban short_lived_token speakerstats speakerstats_component system_chat_message
    token_affiliation token_verification turncredentials turncredentials_http visitors visitors_component
"""
_IMAGE: Final = "http_health matrix_power_sync muc_moderation"
_CONTRIBUTED: Final = """
    access_token event_sync_component frozen_nick jibri_autostart lobby_autostart lobby_autostart_on_owner
    lobby_deactivate matrix_affiliation matrix_lobby_bypass owner_restricted per_room_max_occupants
    per_room_time_restricted proxybased_external_services secure_domain_lobby_bypass time_restricted
    token_affiliation_legacy token_lobby_autostart token_lobby_bypass token_lobby_bypass_for_initiator
    token_lobby_ondemand token_no_wildcard token_owner_party token_security_ondemand
"""
IMAGE: Final = frozenset(f"{_JITSI} {_IMAGE} {_CONTRIBUTED}".split())
"""Those of /prosody-plugins and /prosody-plugins-contrib."""

_PROSODY: Final = """
    account_activity adhoc admin_adhoc admin_shell admin_socket admin_telnet announce blocklist bookmarks bosh c2s
    carbons cloud_notify component cron csi csi_simple debug_reset debug_sql debug_stanzas dialback disco
    external_services flags groups http http_altconnect http_errors http_file_share http_files http_openmetrics invites
    invites_adhoc invites_register iq lastactivity legacyauth limits mam message mimicking motd muc muc_mam muc_unique
    net_multiplex offline pep pep_plus pep_simple ping posix presence private proxy65 pubsub register register_ibr
    register_limits roster s2s s2s_auth_certs s2s_auth_dane_in s2s_bidi saslauth scansion_record server_contact_info
    server_info smacks stanza_debug time tls tokenauth tombstones turn_external unknown uptime user_account_management
    vcard vcard4 vcard_legacy version watchregistrations websocket welcome windows
"""
PROSODY: Final = frozenset(_PROSODY.split())
_COMPONENTS: Final = """
    audio_translation_component av_moderation_component client_proxy conference_duration_component end_conference
    event_sync_component filesharing_component polls_component poltergeist_component room_metadata_component
    speakerstats_component visitors_component
"""
_OF_VIRTUAL_HOSTS: Final = """
    conference_duration features_identity jibri_session limits_exception muc_breakout_rooms muc_lobby_rooms
    muc_password_check reservations visitors
"""
"""As the prosody image's jitsi-meet.cfg.lua loads them (jitsi/docker-jitsi-meet, 2026-08)."""
_ELSEWHERE: Final = """
    account_activity account_sync admin_adhoc admin_shell admin_socket admin_telnet announce blocklist bookmarks bosh
    c2s carbons cloud_notify component conference_requests csi csi_simple dialback flags http http_altconnect
    http_errors http_file_share http_files http_health http_openmetrics invites invites_adhoc invites_register
    lastactivity legacyauth limits log_masking log_ringbuffer mam message mimicking motd muc net_multiplex offline pep
    pep_plus pep_simple posix private proxy65 pubsub register register_ibr register_limits roster roster_command s2s
    s2s_auth_certs s2s_auth_dane_in s2s_bidi s2s_whitelist s2sout_override s2soutinjection saslauth
    server_contact_info server_info smacks statistics_queue tls tokenauth tombstones turn_external
    user_account_management vcard vcard4 vcard_legacy watchregistrations websocket welcome windows
"""
ELSEWHERE: Final = frozenset(f"{_ELSEWHERE} {_COMPONENTS} {_OF_VIRTUAL_HOSTS}".split())
"""Those of a virtual host or the whole server, or components of their own: on the rooms' component they do nothing, or
open what is closed. The project's and the image's among them are loaded where they belong without being asked."""
"""Without those that authenticate or store, which are settings of a host."""
