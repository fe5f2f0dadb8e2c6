"""Recordings: where they are, GSM→MP3 in worker processes, retention. The port is `files.RecordingFiles`."""
