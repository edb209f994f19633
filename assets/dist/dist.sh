#!/usr/bin/env bash
# Builds what is handed out into dist/ (make dist): the app for Linux amd64 and
# arm64 and for Windows, the county's program for four targets, checksums, an SBOM.
# A target whose compiler does not install here is left out and said so; everything
# else fails the build. Needs Debian's apt for the compilers.
set -eu
cd "$(dirname "$0")/../.."
VERSION=${VERSION:-0.1.0}
DIST=${DIST:-dist}
GO=${GO:-go}
ONLY=${ONLY:-amd64 arm64 windows server sbom}
rm -rf "$DIST" && mkdir -p "$DIST/stage"
flags="-s -w -X main.version=$VERSION"
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
install() { root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
wanted() { case " $ONLY " in *" $1 "*) true ;; *) false ;; esac; }
pack() { # name of the archive, then files in stage
	name=$1; shift
	cp LICENSE README.md assets/font/OFL.txt assets/icon/ironfeet.png assets/dist/ironfeet.desktop "$DIST/stage/"
	tar -C "$DIST/stage" --owner=0 --group=0 --mtime=@0 -czf "$DIST/$name" "$@" LICENSE README.md OFL.txt ironfeet.png ironfeet.desktop
	echo "$DIST/$name"
}

# wine_says runs a Windows program under Wine, in a folder of its own. Go's programs
# want bcryptprimitives.dll, which every Windows since 7 has and Wine before 8.7 has
# not: there it is one function over another.
wine_says() {
	install wine wine64 2>/dev/null || { echo "not tried under Wine, which does not install" >&2; return; }
	prefix=$(mktemp -d)
	export WINEPREFIX=$prefix WINEDEBUG=-all WINEDLLOVERRIDES="mscoree=;mshtml="
	wineboot -i >/dev/null 2>&1 || true
	if [ ! -e "$prefix/drive_c/windows/system32/bcryptprimitives.dll" ]; then
		printf '#include <windows.h>\n#include <ntsecapi.h>\n__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE b, SIZE_T n) { return RtlGenRandom(b, (ULONG)n); }\n' > "$prefix/b.c"
		x86_64-w64-mingw32-gcc -shared -o "$prefix/drive_c/windows/system32/bcryptprimitives.dll" "$prefix/b.c" -ladvapi32
	fi
	timeout 120 wine "$@" | sed 's/^/under Wine: /'
	[ "${PIPESTATUS[0]}" = 0 ] || { echo "$1 does not run under Wine" >&2; exit 1; }
	wineserver -k 2>/dev/null || true
	rm -rf "$prefix"
}

if wanted amd64; then
	$GO build -tags gles -trimpath -ldflags "$flags" -o "$DIST/stage/ironfeet" ./cmd/ironfeet
	pack "ironfeet_${VERSION}_linux_amd64.tar.gz" ironfeet
	ARCH=amd64 VERSION=$VERSION DIST=$DIST $GO run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0 package -f assets/dist/nfpm.yaml -p deb -t "$DIST/"
fi
if wanted arm64; then
	if install gcc-aarch64-linux-gnu libc6-dev-arm64-cross 2>/dev/null; then
		# The arm64 headers and libraries lie in a root of their own, so that the
		# machine's packages stay what they are.
		sys=$(mktemp -d)
		(cd "$sys" && root dpkg --print-architecture >/dev/null && assets=$(mktemp -d) && cd "$assets" &&
			root dpkg --add-architecture arm64 && root apt-get update -qq &&
			apt-get download -qq $(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
				libgles-dev:arm64 libx11-dev:arm64 libxcursor-dev:arm64 libxrandr-dev:arm64 libxinerama-dev:arm64 libxi-dev:arm64 libxxf86vm-dev:arm64 libegl-dev:arm64 |
				grep -E '^[a-z].*:arm64$|^[a-z0-9.+-]+$' | grep -vE '^(libc6|libgcc|gcc|perl|debconf|dpkg)' | sort -u) 2>/dev/null || true
			for d in *.deb; do [ -e "$d" ] && dpkg-deb -x "$d" "$sys"; done
			root dpkg --remove-architecture arm64 2>/dev/null || true)
		if PKG_CONFIG_LIBDIR="$sys/usr/lib/aarch64-linux-gnu/pkgconfig:$sys/usr/share/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$sys" \
			CGO_ENABLED=1 GOOS=linux GOARCH=arm64 CC=aarch64-linux-gnu-gcc CGO_CFLAGS="-idirafter $sys/usr/include" \
			CGO_LDFLAGS="-L$sys/usr/lib/aarch64-linux-gnu -Wl,-rpath-link,$sys/usr/lib/aarch64-linux-gnu" \
			$GO build -tags gles -trimpath -ldflags "$flags" -o "$DIST/stage/ironfeet" ./cmd/ironfeet; then
			pack "ironfeet_${VERSION}_linux_arm64.tar.gz" ironfeet
		else
			echo "the app for linux/arm64 was left out: its libraries could not be had" >&2
		fi
		rm -rf "$sys"
	else
		echo "the app for linux/arm64 was left out: gcc-aarch64-linux-gnu does not install" >&2
	fi
fi
if wanted windows; then
	if install gcc-mingw-w64-x86-64 zip; then
		# The icon and the version that Explorer shows: one PNG in an ICO, bound by windres.
		{
			printf '\0\0\1\0\1\0\0\0\0\0\1\0\40\0'
			printf "$(printf '%08x' "$(stat -c %s assets/icon/ironfeet.png)" | sed 's/\(..\)\(..\)\(..\)\(..\)/\\x\4\\x\3\\x\2\\x\1/')"
			printf '\26\0\0\0'
			cat assets/icon/ironfeet.png
		} > "$DIST/stage/ironfeet.ico"
		printf '1 ICON "%s"\n1 VERSIONINFO\nFILEVERSION %s,0\nPRODUCTVERSION %s,0\nBEGIN\nBLOCK "StringFileInfo"\nBEGIN\nBLOCK "080404b0"\nBEGIN\nVALUE "FileDescription", "Ironfeet"\nVALUE "ProductName", "Ironfeet"\nVALUE "ProductVersion", "%s"\nEND\nEND\nBLOCK "VarFileInfo"\nBEGIN\nVALUE "Translation", 0x804, 1200\nEND\nEND\n' \
			"$DIST/stage/ironfeet.ico" "${VERSION//./,}" "${VERSION//./,}" "$VERSION" > "$DIST/stage/ironfeet.rc"
		x86_64-w64-mingw32-windres "$DIST/stage/ironfeet.rc" cmd/ironfeet/icon_windows_amd64.syso
		CGO_ENABLED=1 GOOS=windows GOARCH=amd64 CC=x86_64-w64-mingw32-gcc $GO build -trimpath -ldflags "$flags -H windowsgui" -o "$DIST/stage/ironfeet.exe" ./cmd/ironfeet || { rm -f cmd/ironfeet/icon_windows_amd64.syso; exit 1; }
		rm -f cmd/ironfeet/icon_windows_amd64.syso
		cp LICENSE README.md assets/font/OFL.txt "$DIST/stage/"
		(cd "$DIST/stage" && zip -q -X "../ironfeet_${VERSION}_windows_amd64.zip" ironfeet.exe LICENSE README.md OFL.txt)
		echo "$DIST/ironfeet_${VERSION}_windows_amd64.zip"
		wine_says "$DIST/stage/ironfeet.exe" --version
	else
		echo "the app for windows/amd64 was left out: gcc-mingw-w64-x86-64 does not install" >&2
	fi
fi
if wanted server; then
	for target in linux/amd64 linux/arm64 linux/loong64 windows/amd64; do
		os=${target%/*} arch=${target#*/} end=""
		[ "$os" = windows ] && end=.exe
		CGO_ENABLED=0 GOOS=$os GOARCH=$arch $GO build -trimpath -ldflags "-s -w" -o "$DIST/ironfeetd_${VERSION}_${os}_${arch}$end" ./cmd/ironfeetd
		echo "$DIST/ironfeetd_${VERSION}_${os}_${arch}$end"
	done
fi
if wanted sbom; then
	$GO run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 mod -json -licenses=false -output "$DIST/ironfeet_${VERSION}_sbom.cdx.json" .
fi
rm -rf "$DIST/stage"
(cd "$DIST" && sha256sum -- * > SHA256SUMS)
cat "$DIST/SHA256SUMS"
