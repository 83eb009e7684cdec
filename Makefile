# Isthmus. `make` alone lists the targets.

# The first Python that runs and is new enough: a name on the path may be a shim with nothing behind it
PYTHON ?= $$(for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := $(VENV)/.demo
KERBEROS := $(VENV)/.kerberos
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
RECORDINGS := build/pypsrp-0.9.1
PYTEST := $(BIN)/python -m pytest
# Compiled modules are kept, whatever the environment says: hundreds of processes are started
unexport PYTHONDONTWRITEBYTECODE
# How many modules are tested at a time; the tests of one stay together, because they share servers (tests/conftest.py)
WORKERS := 2
SPREAD := -n $(WORKERS) --dist loadscope --no-loadscope-reorder
SERVERS := samba or slapd or postgres or system or browser or proxy or pebble or scim or interop or adfs or kerberos
ON_REAL_SERVERS := samba slapd postgres browser proxy pebble interop
COVERED := $(wildcard isthmus gateway gateway/federation sync adfs_mgmt foundation foundation/saml certs directory findings settings)

.DEFAULT_GOAL := help
.PHONY: help demo demo-federation demo-adfs lock wheel licences test test-long coverage lint bench docs test-unit test-samba test-slapd test-postgres test-system test-browser test-proxy test-pebble test-scim test-interop test-federation test-adfs test-kerberos test-install test-live figures mutants texts sheets clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Into the virtual environment: what a file of requirements/ locks, checked by its hashes, then the project itself, and nothing else
define INSTALL
@deploy/ensure-packages python
@python=$(PYTHON); [ -n "$$python" ] || { echo "No Python 3.11 or newer was found: set PYTHON" >&2; exit 1; }; \
	$$python -m venv $(VENV)
@echo "Installing $$(grep -c == $(1)) Python packages into $(VENV): up to a minute, the first time …" >&2
@$(PIP) install --require-hashes --requirement $(1)
@$(PIP) install --no-deps --no-build-isolation --editable .
@touch $@
endef

$(STAMP): pyproject.toml requirements/development.txt
	$(call INSTALL,requirements/development.txt)

# Apart, because whoever wants to see the demo needs no linters
$(DEMO): pyproject.toml requirements/demo.txt
	$(call INSTALL,requirements/demo.txt)

# Apart, because nobody else should need a compiler. Unoptimised: it is compiled in a third of the time
$(KERBEROS): $(STAMP) requirements/kerberos.txt
	@PYTHON=$(BIN)/python deploy/ensure-packages kerberos
	@echo "Compiling gssapi and krb5: some minutes, the first time …" >&2
	@CFLAGS="-O0 -g0" $(PIP) install --require-hashes --requirement requirements/kerberos.txt
	@touch $@

# Sessions of pypsrp with real Windows hosts, which come with its source only; nothing of it is built or run
$(RECORDINGS): | $(STAMP)
	@mkdir -p build/download
	$(PIP) download --no-deps --no-binary pypsrp --no-build-isolation --dest build/download $(subst -,==,$(notdir $@))
	tar -xzf build/download/$(notdir $@).tar.gz -C build/download
	mv build/download/$(notdir $@) $@

demo: $(DEMO) ## a throwaway Active Directory with users to sign in as (ONCE=1: sign them in and end; LISTEN=ADDRESS:8443)
	@deploy/ensure-packages samba
	@$(BIN)/python -m demo.signin $(if $(ONCE),--once) $(if $(LISTEN),--listen $(LISTEN))

demo-federation: $(DEMO) ## two applications (OpenID Connect, SAML) to sign in to with an AD account (ONCE=1: a browser does; LISTEN=)
	@deploy/ensure-packages samba apache browser
	@$(BIN)/python -m demo.federation $(if $(ONCE),--once) $(if $(LISTEN),--listen $(LISTEN))

demo-adfs: $(DEMO) ## a simulated AD FS farm whose certificate is about to end (ONCE=1: replace it and end)
	@$(BIN)/python -m demo.adfs $(if $(ONCE),--once)

lock: ## requirements/*.txt from pyproject.toml, with hashes (UPGRADE=1: the newest versions of everything)
	@deploy/ensure-packages python
	@PYTHON=$(PYTHON); export PYTHON; deploy/lock-requirements $(if $(UPGRADE),--upgrade)

wheel: $(STAMP) ## the wheel, in build/wheel
	@rm -rf build/wheel build/lib build/bdist.*
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir build/wheel .
	@ls build/wheel/*.whl

licences: $(KERBEROS) ## docs/reference/third-party-licences.md, from what is installed
	$(BIN)/python -m tests.structure.licences docs

test test-adfs test-long coverage: export ISTHMUS_PYPSRP_SOURCES := $(CURDIR)/$(RECORDINGS)

# Lint runs beside the fast tests: it needs one processor only, and they wait now and then
test: $(KERBEROS) $(RECORDINGS) ## lint, and every test but the long ones: fast ones first, then those on servers
	@deploy/ensure-packages $(ON_REAL_SERVERS)
	@$(MAKE) --no-print-directory --jobs=2 lint test-unit
	$(PYTEST) $(SPREAD) -m "($(SERVERS)) and not long" --durations=10

test-long: $(KERBEROS) $(RECORDINGS) ## long simulations, kill -9 at every step, and many more examples of what hypothesis makes up
	@deploy/ensure-packages $(ON_REAL_SERVERS) install
	$(PYTEST) $(SPREAD) -m "long or hypothesis" --hypothesis-profile=long --durations=10

coverage: $(KERBEROS) $(RECORDINGS) ## the same tests as `make test`: 90 % of the branches of each package
	@deploy/ensure-packages $(ON_REAL_SERVERS)
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(SPREAD) -m "not long"
	$(BIN)/python -m coverage combine --quiet
	@failed=0; for package in $(COVERED); do \
		echo; echo "$$package:"; \
		$(BIN)/python -m coverage report --skip-covered --include="$$package/*" --fail-under=90 || failed=1; \
	done; exit $$failed

lint: $(STAMP) ## ruff, mypy --strict, import layers
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-unit: $(STAMP) ## the fast tests alone: no server is started
	$(PYTEST) $(SPREAD) -m "not ($(SERVERS) or long)"

test-samba: $(STAMP) ## the tests on a real Active Directory (Samba) alone
	@deploy/ensure-packages samba
	$(PYTEST) -m "samba and not (kerberos or long)"

test-slapd: $(STAMP) ## the tests on a real OpenLDAP alone
	@deploy/ensure-packages slapd
	$(PYTEST) -m "slapd and not long"

test-postgres: $(STAMP) ## the tests of the store on a real PostgreSQL alone
	@deploy/ensure-packages postgres
	$(PYTEST) -m "postgres and not long"

test-system: $(STAMP) ## the tests on whole Isthmus processes alone
	@deploy/ensure-packages samba
	$(PYTEST) $(SPREAD) -m "system and not long"

test-browser: $(STAMP) ## the tests in Chromium alone
	@deploy/ensure-packages browser
	$(PYTEST) -m "browser and not long"

test-proxy: $(STAMP) ## the tests behind nginx and HAProxy alone
	@deploy/ensure-packages proxy
	$(PYTEST) -m "proxy and not long"

test-pebble: $(STAMP) ## the tests on pebble, a real ACME server, alone
	@deploy/ensure-packages pebble
	$(PYTEST) -m "pebble and not long"

test-scim: $(STAMP) ## the tests on scim2-server, a real SCIM service, alone
	$(PYTEST) -m "scim and not long"

test-interop: $(STAMP) ## clients and applications of others alone: Apache's modules, Node, Lasso, python3-saml, msal
	@deploy/ensure-packages interop browser
	$(PYTEST) -m "interop and not long"

test-federation: $(STAMP) ## the tests of claims, OpenID Connect, SAML, sessions at applications and signing keys alone
	@deploy/ensure-packages samba slapd postgres
	$(PYTEST) $(SPREAD) -m "not (kerberos or long)" tests/gateway/federation tests/foundation/saml tests/conformance

test-adfs: $(STAMP) $(RECORDINGS) ## the tests on simulated AD FS farms alone
	$(PYTEST) $(SPREAD) -m "adfs and not (samba or pebble or system or browser or kerberos or long)"

test-kerberos: $(KERBEROS) ## the tests on WinRM with Kerberos and a real Active Directory (Samba) alone
	@deploy/ensure-packages samba
	$(PYTEST) -m "kerberos and not long"

test-install: $(STAMP) ## on a bare Debian 12: the wheel and its locked packages, no index
	@deploy/ensure-packages samba install
	$(PYTEST) -m "install and long" --durations=10

test-live: $(STAMP) ## the tests on a real AD FS farm, reading only: CONFIG=adfs.toml FARM=name (docs/developers/adfs-live.md)
	@[ -n "$(CONFIG)" ] || { echo "Name a settings file of isthmus adfs: make test-live CONFIG=adfs.toml" >&2; exit 2; }
	@mkdir -p build/live
	ISTHMUS_LIVE=$(abspath $(CONFIG)) ISTHMUS_LIVE_FARM=$(FARM) ISTHMUS_LIVE_CHANGE=$(CHANGE) \
		ISTHMUS_LIVE_RESULTS=$(abspath build/live) $(PYTEST) tests/adfs/live

mutants: $(STAMP) ## change the decisions one place at a time: some test must notice each change
	$(BIN)/python -m tests.mutants

bench: $(STAMP) ## performance, as ratios against a floor measured in the same run
	@deploy/ensure-packages samba slapd postgres bench
	$(BIN)/python -m bench

figures: $(STAMP) ## how large the code is, which class names stand twice, who imports past an interface
	$(BIN)/python -m tests.structure

docs: $(STAMP) ## the reference pages from the code, and a check of every link and every file named in backticks
	$(BIN)/python -m isthmus.reference docs

texts: $(STAMP) ## bring the page's translations up to date with its English texts (docs/developers/translations.md)
	@mkdir -p build
	$(BIN)/pybabel --quiet extract -F gateway/signin/babel.cfg -k N_ -k plural:1,2 -c Translators: --strip-comments \
		--add-location=file -o build/signin.pot gateway/signin
	@for file in gateway/signin/locale/*.po; do \
		$(BIN)/pybabel --quiet update -i build/signin.pot -o $$file -l $$(basename $$file .po) \
			--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width=120 || exit 1; \
	done

sheets: $(STAMP) ## every page of the sign-in as pictures, in build/sheets: to be looked at after a change
	@deploy/ensure-packages browser
	$(BIN)/python -m tests.browser.sheets build/sheets $(SHEETS)

clean: ## remove what was built
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage*
