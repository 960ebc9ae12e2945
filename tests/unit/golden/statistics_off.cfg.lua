-- Written by videobackend: change the stack's configuration, not this file.
conference_timeout = 20
enable_statistics = false
