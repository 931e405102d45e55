"""The edge: owns the sockets of stations and knows no business."""
