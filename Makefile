# The two commands: make demo, make test. Everything else is a part of them or a
# convenience. Only Go (and gcc for the app itself) is needed; what a target needs
# beyond that it installs on Debian, as root or with sudo.

GO      ?= go
BUILD   := build
DATA    ?= $(BUILD)/demo
SERVER  := $(BUILD)/ironfeetd
APP     := $(BUILD)/ironfeet
FOLDERS := app assets cmd forms store sync

.PHONY: demo test test-console chromium strace test-app golden pictures dist test-mobile app serve test-interop bench simulate kills mutants clean

demo: $(SERVER)
	$(SERVER) demo

$(SERVER): FORCE
	@mkdir -p $(BUILD)
	CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/ironfeetd

# The app's screens are tested too: by Fyne's software painter, without a display
# and without cgo; the tag ci replaces the window driver in cmd/ironfeet.
test: test-interop test-mobile chromium strace
	@unformatted=$$(gofmt -l $(FOLDERS)); if [ -n "$$unformatted" ]; then echo "not formatted: $$unformatted"; exit 1; fi
	CGO_ENABLED=0 $(GO) vet -tags ci ./...
	LANG=zh_CN.UTF-8 CGO_ENABLED=0 $(GO) test -tags ci -timeout 20m ./...
	$(MAKE) test-app

# The real program on a screen that nobody sees (Xvfb), driven from outside by mouse
# and keyboard: invitation, visit, kill -9, photo, signatures, sync; the township from
# the stick to the settled conflict; and a position
# from the real gpsd, into which gpsfake plays a receiver.
test-app: $(APP) $(SERVER)
	@needed="xvfb xdotool libgl1-mesa-dri gpsd gpsd-clients"; missing=""; \
	for p in $$needed; do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then echo "install the equivalents of these Debian packages first:$$missing"; exit 1; fi; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	IRONFEET_BUILD=$(CURDIR)/$(BUILD) CGO_ENABLED=0 $(GO) test -tags drive,ci -count 1 -timeout 10m -run 'TestDrive|TestAPosition' ./cmd/ironfeet ./app/desktop/device

# The app as for Android, as far as a machine without its NDK can tell.
test-mobile:
	CGO_ENABLED=0 $(GO) vet -tags mobile,ci ./cmd/ironfeet ./app/desktop/...

# Golden pictures of every screen are written anew: look at them before you commit.
golden:
	LANG=zh_CN.UTF-8 CGO_ENABLED=0 $(GO) test -tags ci -count 1 ./app/desktop -run TestPictures -update

# The README's pictures, from the real screens.
pictures:
	LANG=zh_CN.UTF-8 CGO_ENABLED=0 IRONFEET_README=$(CURDIR)/assets/pictures $(GO) test -tags ci -count 1 ./app/desktop -run TestReadmePictures

# What is handed out, into dist/: see assets/dist/dist.sh.
dist: $(APP)
	GO=$(GO) assets/dist/dist.sh

# The console end to end in Debian's Chromium, without scripts, at desktop and tablet
# width. A part of make test; IRONFEET_PICTURES=DIR keeps what it saw.
test-console: chromium
	IRONFEET_BROWSER=1 CGO_ENABLED=0 $(GO) test -tags ci -count 1 ./app/console/...

# strace answers for a disk that fails. Without the right to install it, make test
# says so and passes over that test.
strace:
	@command -v strace >/dev/null || { sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	  command -v apt-get >/dev/null && $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends strace >/dev/null; } \
	  || echo "strace cannot be installed here: a failing fsync is not tried"

# Without the right to install it, make test says so and passes over the browser.
chromium:
	@command -v chromium >/dev/null || { sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	  command -v apt-get >/dev/null && $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "chromium cannot be installed here: the console is tested without a browser"

# The app opens on the data of tablet A of the demo; the demo is run first if it
# has not been. With -tags gles the cold build takes a quarter of the time.
app: $(APP) $(DATA)/done
	LANG=zh_CN.UTF-8 $(APP) --demo --data $(DATA)/tablet-a

$(APP): FORCE
	@needed="libgl1-mesa-dev libx11-dev libxcursor-dev libxrandr-dev libxinerama-dev libxi-dev libxxf86vm-dev pkg-config gcc libc6-dev"; \
	missing=""; for p in $$needed; do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then echo "install the equivalents of these Debian packages first:$$missing"; exit 1; fi; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	@mkdir -p $(BUILD)
	$(GO) build -tags gles -trimpath -o $@ ./cmd/ironfeet

$(DATA)/done: | $(SERVER)
	$(SERVER) demo --dir $(DATA)

serve: $(SERVER) $(DATA)/done
	$(SERVER) serve --data $(DATA)/county --listen 127.0.0.1:8642

# The test vectors of sync/FORMAT.md, read by npm's COSE, CBOR, zstd and age.
test-interop:
	@if ! command -v npm >/dev/null; then \
	  if ! command -v apt-get >/dev/null; then echo "install Node.js 18 or newer and npm first"; exit 1; fi; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm; \
	fi
	@[ sync/interop/node_modules/.package-lock.json -nt sync/interop/package-lock.json ] || (cd sync/interop && npm ci --silent)
	node sync/interop/verify.mjs

# Lives of a county from seeds; a failing one says how to play it again. mutants
# breaks the code in known ways and wants the simulation to notice each.
SEEDS ?= 5000
simulate:
	CGO_ENABLED=0 $(GO) test -tags ci -timeout 0 -count 1 -v ./sync/simulate -run TestSeeds -seeds $(SEEDS)

KILLS ?= 300
kills:
	CGO_ENABLED=0 $(GO) test -tags ci -timeout 0 -count 1 -v ./cmd/ironfeetd -run TestNoAcknowledgedChangeIsLostByKilling -kills $(KILLS)
	CGO_ENABLED=0 $(GO) test -tags ci -timeout 0 -count 1 -v ./store -run TestNothingAcknowledgedIsLostByKilling -kills $(KILLS)

mutants:
	CGO_ENABLED=0 $(GO) test -tags ci -timeout 0 -count 1 -v ./sync/simulate -run TestMutants -mutants

bench:
	CGO_ENABLED=0 $(GO) test -tags ci -run '^$$' -bench . -benchmem ./forms/... ./store/... ./sync/... ./app/...

clean:
	rm -rf $(BUILD)

FORCE:
