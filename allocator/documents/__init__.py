"""Reports of one client: content as sections of blocks, and what makes HTML, PDF, Excel and text of it."""
