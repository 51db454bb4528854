"""The state transition function: `spec` is the definition, `kernels` the same rules over arrays."""
