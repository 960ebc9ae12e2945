"""The video backend as Pulumi components; `video_backend` is the front door."""
