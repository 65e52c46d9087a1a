# SPDX-License-Identifier: GPL-2.0-only
# Mail, on each host: it takes what is for info@example.org.
useradd --create-home info
cp /etc/postfix/main.cf.proto /etc/postfix/main.cf
postconf -e compatibility_level=3.10 "myhostname=$(hostname).example.org" mydestination=example.org inet_protocols=ipv4 alias_maps= alias_database= home_mailbox=Maildir/ smtpd_peername_lookup=no
systemctl restart postfix
