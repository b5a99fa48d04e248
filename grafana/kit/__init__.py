"""What all dashboards share."""
