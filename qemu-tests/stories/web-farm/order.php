<?php // SPDX-License-Identifier: GPL-2.0-only
// /var/www/html/order.php: the whole order, in one transaction of the shared database, to which each process of PHP
// keeps its connection.
$database = new PDO('pgsql:host=192.168.0.4;dbname=shop', 'shop', 'secret', [PDO::ATTR_PERSISTENT => true]);
$host = (int) file_get_contents('/var/www/html/host');
$item = random_int(1, 100);
$database->beginTransaction();
$database->prepare('UPDATE stock SET left_over = left_over - 1 WHERE item = ?')->execute([$item]);
$order = $database->prepare('INSERT INTO orders (item, host) VALUES (?, ?) RETURNING id');
$order->execute([$item, $host]);
$id = $order->fetchColumn();
$sold = $database->query('SELECT count(*) FROM orders WHERE item = ' . $item)->fetchColumn();
$database->commit();
echo "order $id; item $item was sold $sold times\nhost $host\n";
