# SPDX-License-Identifier: GPL-2.0-only
# On the database's host, 192.168.0.4 on the hosts' own network; it is no member of the cluster.
systemctl start postgresql
su postgres -c "psql -qc \"CREATE ROLE shop LOGIN PASSWORD 'secret'\""
su postgres -c "createdb -O shop shop"
su postgres -c "psql -q shop -c 'CREATE TABLE stock (item int PRIMARY KEY, left_over int NOT NULL)'"
su postgres -c "psql -q shop -c 'CREATE TABLE orders (id serial PRIMARY KEY, item int REFERENCES stock, host int NOT NULL, at timestamptz DEFAULT now())'"
su postgres -c "psql -q shop -c 'INSERT INTO stock SELECT n, 1000000 FROM generate_series(1, 100) n'"
su postgres -c "psql -q shop -c 'GRANT ALL ON ALL TABLES IN SCHEMA public TO shop; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO shop'"
su postgres -c "psql -qc \"ALTER SYSTEM SET listen_addresses = '192.168.0.4'\""
echo 'host shop shop 192.168.0.0/24 scram-sha-256' >>/etc/postgresql/17/main/pg_hba.conf
systemctl restart postgresql
