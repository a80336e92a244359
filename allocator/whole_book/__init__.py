"""A whole book at once: whom to call first, what it holds and breaks, and what changes under other assumptions."""
