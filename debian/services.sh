# shellcheck shell=sh
# The Nova services of this host, and whether the library that they run on is whole.
#
# restart-services reads this file. It is also a part of the script that runs before our library is
# unpacked: at the first install no other file of ours is there.

# The distribution's names. The RPM packaging writes its own into these lines.
LIBRARY=/usr/lib/python3/dist-packages/nova
PREFIX=nova-
SERVICES="api api-metadata compute conductor scheduler novncproxy serialproxy spicehtml5proxy"
PACKAGES=dpkg
STATE=/run/nova-xloud
# shellcheck disable=SC2034
RECOVERY="dpkg --configure -a; apt install -f PACKAGE, the one that was being installed"

# Prints the units of Nova that are in one of the states: units STATE,STATE
units() {
	patterns=
	for service in $SERVICES; do
		# a site that runs one conductor or compute per cell has instances
		patterns="$patterns $PREFIX$service.service $PREFIX$service@*.service"
	done
	set -f
	# shellcheck disable=SC2086
	systemctl list-units --plain --no-legend --all --state="$1" $patterns | cut -d ' ' -f 1
	set +f
}

# Prints the state of a package, in dpkg's words: state PACKAGE
state() {
	case $PACKAGES in
	dpkg) dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null ;;
	rpm) ! rpm --quiet -q "$1" || echo installed ;;
	esac
}

# Prints the first module of a package that is not on the disk: missing PACKAGE
missing() {
	case $PACKAGES in
	dpkg) dpkg-query --listfiles "$1" ;;
	rpm) rpm -ql "$1" ;;
	esac | while read -r file; do
		case $file in
		# no service needs the tests, and a site may leave them out
		"$LIBRARY"/tests/*) ;;
		"$LIBRARY"/*.py) [ -e "$file" ] || { echo "$file" && break; } ;;
		esac
	done
}

# Prints why the library on the disk is not whole. Prints nothing if it is whole.
fault() {
	reason="no installed package has it"
	for package in python3-nova-xloud python3-nova; do
		case $(state "$package") in
		unpacked | half-configured | triggers-awaited | triggers-pending | installed) ;;
		half-installed) reason="$package is half installed" && continue ;;
		*) continue ;;
		esac
		absent=$(missing "$package")
		if [ -n "$absent" ]; then
			reason="$package is not complete, $absent is missing"
		elif [ "$package" = python3-nova ] && [ -e "$LIBRARY/xloud/__init__.py" ]; then
			reason="modules of python3-nova-xloud lie among those of python3-nova"
		else
			return
		fi
	done
	echo "$reason"
}

# Says whether a unit failed after the last change of a library that is not whole: fell UNIT
fell() {
	failed=$(systemctl show --property InactiveEnterTimestamp --value --timestamp=us+utc "$1")
	[ -n "$failed" ] || return 1
	if [ -d "$LIBRARY" ]; then
		# byte code comes later, when somebody runs a command of Nova's
		changed=$(find "$LIBRARY" ! -name '*.pyc*' ! -name __pycache__ -newerct "$failed" -print -quit)
	else
		changed=$(find "${LIBRARY%/*}" -maxdepth 0 -newerct "$failed")
	fi
	[ -z "$changed" ]
}

# Writes down which services have to run when the package run has ended: those that run now, and
# those that failed because the library is not whole. Each file says whether the unit was enabled.
note() {
	mkdir -p "$STATE/due"
	for unit in $(units active,activating,reloading); do
		systemctl show --property UnitFileState --value "$unit" >"$STATE/due/$unit"
	done
	[ -n "$(fault)" ] || return 0
	for unit in $(units failed); do
		if [ ! -e "$STATE/due/$unit" ] && fell "$unit"; then
			systemctl show --property UnitFileState --value "$unit" >"$STATE/due/$unit"
		fi
	done
}
