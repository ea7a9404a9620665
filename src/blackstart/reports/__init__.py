"""What people read of a drill: the HTML page, the table at the end, the live view. All computed from its journal."""
