"""Plans toward the target mix; `allocator.pipeline.rebalance` wires it."""
