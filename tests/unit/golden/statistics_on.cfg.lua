-- Written by videobackend: change the stack's configuration, not this file.
conference_timeout = 60
enable_statistics = true
rabbit_url = "http://mq:15672/api/exchanges/%2F/statistics.topic/publish"
rabbit_username = "statistics"
rabbit_password = "quo\"te back\\slash \195\132"
