# Short names for the commands that CONTRIBUTING.md explains. ARGS passes arguments on:
#   make test ARGS="tests/unit/data -k split"

ARGS ?=
# Runs a command inside the environment that scripts/environment.sh makes or reuses.
INSIDE := bash -c 'source scripts/environment.sh && use_environment && exec "$$@"' --

.PHONY: help check fast test docs bench

help:
	@echo "make check   style, format and types"
	@echo "make fast    the same, and the fast tests"
	@echo "make test    the same, and all tests"
	@echo "make docs    the documentation as web pages, in site/"
	@echo "make bench   speed and memory next to PyTorch and MindFormers; needs pip install --editable '.[bench]'"

check:
	bash scripts/test.sh --checks

fast:
	bash scripts/test.sh --fast $(ARGS)

test:
	bash scripts/test.sh $(ARGS)

# The theme's maintainers advertise their next tool in each build.
docs:
	NO_MKDOCS_2_WARNING=1 $(INSIDE) mkdocs build --strict $(ARGS)

bench:
	$(INSIDE) python scripts/bench/run.py $(ARGS)
