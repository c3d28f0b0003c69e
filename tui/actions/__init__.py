"""What the app does, by subject. Each is a part of `tui.app.TaskpassApp` and stands on `Trunk`."""
