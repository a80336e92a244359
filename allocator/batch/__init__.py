"""A whole bank's book: split by client, planned part by part, written so that a killed run can go on."""
