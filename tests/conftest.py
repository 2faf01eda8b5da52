"""What every test runs under: one thread, so that figures repeat and two workers share two cores; fixed examples."""

import hypothesis
import torch

torch.set_num_threads(1)

# The same examples in every run, and no limit of time that a busy machine could break.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("fixed")
