#!/bin/bash
# Runs once in a booted container: builds RDO-shaped RPMs of the pristine release, with the platform
# below them, into /srv/rdo (now) and /srv/rdo-later (its next update), installs them by dnf and
# configures them; see cloud.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# pip's libraries are where Debian's Python looks; files of RPMs are where EL 9's Python would
echo /usr/lib/python3.9/site-packages >/usr/local/lib/python3.9/dist-packages/el9.pth

# the database that EL 9 has; it survives that a process which writes into it is killed
mkdir -p /etc/rpm
echo '%_db_backend sqlite' >/etc/rpm/macros.database

mkdir -p /srv/rdo /srv/rdo-later
mv "$here/../nova.tar.gz" "$here"
python3 "$here/platform.py" >"$here/platform.spec"
build=(rpmbuild --quiet --define "_topdir $here/build" --define "_sourcedir $here")
"${build[@]}" -bb "$here/platform.spec"
export PBR_VERSION=29.4.0
for release in 1 2; do
	"${build[@]}" --define "release_of_rdo $release" -bb "$here/rdo.spec"
done
cp "$here"/build/RPMS/noarch/{platform-el9,*-29.2.0-1}*.rpm /srv/rdo
cp "$here"/build/RPMS/noarch/*.rpm /srv/rdo-later
rm -r "$here/build"
createrepo_c -q /srv/rdo
createrepo_c -q /srv/rdo-later
mkdir -p /etc/yum.repos.d
cat >/etc/yum.repos.d/rdo.repo <<END
[rdo]
name=RDO
baseurl=file:///srv/rdo
gpgcheck=0
metadata_expire=0
END
# only now is there a release to detect
dnf -q -y --releasever=9 install platform-el9
dnf -q -y install openstack-nova-{api,conductor,scheduler,novncproxy,serialproxy,spicehtml5proxy}
dnf check
exec bash "$here/cloud.sh" openstack-nova- novncproxy metadata-api os-compute-api
