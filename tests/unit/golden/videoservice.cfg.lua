-- Written by videobackend: change the stack's configuration, not this file.
video_service_url = "https://app.example.org/service"
keycloak_url = "https://keycloak.example.org/auth"
keycloak_realm = "online-beratung"
keycloak_client_id = "app"
video_service_username = "jitsi-technical"
video_service_password = "quo\"te back\\slash \195\132"
