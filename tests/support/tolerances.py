"""Every tolerance of a parity test, with its reason."""

# float32 logits of the original (MindSpore 2.0, other kernels) against ours: sums of a few hundred products each.
GOLDEN = 1e-4
# The same numbers from another formulation in float32 in one process.
SAME_MATH = 1e-5
# float64 numpy against float32 kernels through a few layers, logits of size 1 to 10.
NUMPY = 1e-4
# Metrics in float64 from another formulation: only sums are rounded differently.
EXACT_SUM = 1e-12
# Text metrics from other versions of NLTK, rouge-score and tokenizers.
OTHER_VERSIONS = 1e-4
# Molecule metrics from another version of RDKit: shares and means over 3,300 molecules must not change.
OTHER_RDKIT = 1e-6
