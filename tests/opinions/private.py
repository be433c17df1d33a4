# SPDX-License-Identifier: Apache-2.0
"""private.py - runs a mail server of tests/opinions/fetch, or one that is installed: root in a mount namespace of its own, where /etc/passwd knows the
server's users, the places that are compiled in lie in a folder of ours, and the libraries that were unpacked with it are found."""
import os
import subprocess

USERS = {'passwd': 'Debian-exim:x:8:8::/:/bin/false\nopensmtpd:x:7001:7001::/:/bin/false\nopensmtpq:x:7002:7002::/:/bin/false\n',
         'group': 'Debian-exim:x:8:\nopensmtpd:x:7001:\nopensmtpq:x:7002:\n'}
PLACES = '''
set -e
mount --make-rprivate /
for name in passwd group resolv.conf; do [ ! -e "$1/$name" ] || mount --bind "$1/$name" /etc/$name; done
for place in /run /var/lib; do mkdir -p $place && mount -t tmpfs tmpfs $place; done
mkdir -p "$1/spool/smtpd" /var/spool && mount --bind "$1/spool" /var/spool && chmod 711 /var/spool/smtpd
mkdir -p /var/lib/opensmtpd/empty
if [ -d "$2/opensmtpd" ]; then
  mkdir -p /usr/libexec && mount -t tmpfs tmpfs /usr/libexec && mkdir /usr/libexec/opensmtpd
  mount --bind "$2/opensmtpd/usr/libexec/opensmtpd" /usr/libexec/opensmtpd
fi
if [ -d "$2/libraries" ]; then
  ldconfig -X -C "$1/ld.so.cache" "$2"/libraries/usr/lib/*/ && mount --bind "$1/ld.so.cache" /etc/ld.so.cache
fi
[ ! -e "$1/trusted" ] || mount --bind "$1/trusted" /etc/ssl/certs/ca-certificates.crt
shift 2
exec "$@"
'''
EXIM, OPENSMTPD = 'exim4-daemon-light/usr/sbin/exim4', 'opensmtpd/usr/sbin/smtpd'


def start(programs, folder, program, *words):
    """The server's process; what it says goes to FOLDER/said. It trusts the authorities of FOLDER/trusted and finds
    names as FOLDER/resolv.conf says, if they are there."""
    for name, more in USERS.items():
        with open('/etc/' + name, encoding='utf-8') as known, open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
            file.write(known.read() + more)
    with open(os.path.join(folder, 'said'), 'wb') as said:
        return subprocess.Popen(['unshare', '-m', 'bash', '-c', PLACES, 'bash', folder, programs, os.path.join(programs, program), *words],
                                stdin=subprocess.DEVNULL, stdout=said, stderr=said)
