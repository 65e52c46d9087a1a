// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes packets and measures what they cost: pktgen for any frame. Under a
 * counted clock a nanosecond is an instruction.
 *
 * Write "DEV MODE COUNT BURST ADDRESS_AT MASK PORT_AT HEX" to gun/fire in
 * debugfs; read from it, on the same processor, how many nanoseconds that took.
 *
 * MODE "rx" hands the frame to the receive path of DEV as a driver does, BURST
 * times each buffer, as pktgen's netif_receive mode; "tx" sends it by DEV.
 * Before each buffer the bits of MASK are chosen anew in the four bytes at
 * ADDRESS_AT, and the two bytes at PORT_AT (0: not) become a port above 1023.
 */
#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/hex.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/netdevice.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/unaligned.h>
#include <net/checksum.h>
#include <net/net_namespace.h>

#define FRAME_MAX 1514

struct shot {
	char dev[IFNAMSIZ];
	char mode[4];
	unsigned int count;
	unsigned int burst;
	unsigned int address_at;
	unsigned int mask;
	unsigned int port_at;
	unsigned int len;
	u8 frame[FRAME_MAX];
};

/* What the last shot of each processor took. */
static DEFINE_PER_CPU(u64, told_ns);
/* Buffers that are kept, one for each shot, until there are so many. */
static struct sk_buff_head kept;
#define KEPT_MAX 64
static struct dentry *dir;

/*
 * Marks for bench/trace, which counts between them: an exchange of a register
 * with itself does nothing, and compilers do not make one.
 */
static inline void mark_begin(void)
{
	asm volatile(".byte 0x66, 0x87, 0xdb" ::: "memory");
}

static inline void mark_end(void)
{
	asm volatile(".byte 0x66, 0x87, 0xc9" ::: "memory");
}

/* Marsaglia's xorshift: the same clients in every run. */
static u32 random_word(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void choose_client(struct shot *shot, u32 *state)
{
	u8 *frame = shot->frame;
	u32 address;

	if (shot->mask) {
		address = get_unaligned_be32(frame + shot->address_at);
		address &= ~shot->mask;
		address |= random_word(state) & shot->mask;
		put_unaligned_be32(address, frame + shot->address_at);
	}
	if (shot->mask && ((struct ethhdr *)frame)->h_proto == htons(ETH_P_IP)) {
		struct iphdr *ip = (struct iphdr *)(frame + ETH_HLEN);

		ip->check = 0;
		ip->check = ip_fast_csum(ip, 5);
	}
	if (shot->port_at)
		put_unaligned_be16(1024 + (random_word(state) >> 16) % 64000,
				   frame + shot->port_at);
}

static struct sk_buff *load(struct net_device *dev, struct shot *shot, u32 *state)
{
	struct sk_buff *skb = netdev_alloc_skb_ip_align(dev, shot->len);

	if (!skb)
		return NULL;
	choose_client(shot, state);
	skb_put_data(skb, shot->frame, shot->len);
	return skb;
}

static int fire_rx(struct net_device *dev, struct shot *shot, u32 *state)
{
	struct sk_buff *skb = load(dev, shot, state);
	unsigned int i;

	if (!skb)
		return -ENOMEM;
	skb->protocol = eth_type_trans(skb, dev);
	refcount_add(shot->burst - 1, &skb->users);
	local_bh_disable();
	mark_begin();
	for (i = 0; i < shot->burst; i++)
		netif_receive_skb(skb);
	mark_end();
	local_bh_enable();
	return 0;
}

static int fire_tx(struct net_device *dev, struct shot *shot, u32 *state)
{
	struct sk_buff *skb = load(dev, shot, state);

	if (!skb)
		return -ENOMEM;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb->protocol = eth_hdr(skb)->h_proto;
	dev_queue_xmit(skb);
	return 0;
}

/*
 * A buffer is freed before the next one is made, so that the kernel's stock of
 * them is as full before each as it was before the first. Where it is just
 * empty, each one costs a new stock: some 200 instructions, in each shot until
 * something else takes a buffer. So each shot begins with one less than the last.
 */
static void keep_one(struct net_device *dev, unsigned int len)
{
	struct sk_buff *skb = netdev_alloc_skb_ip_align(dev, len);

	if (skb_queue_len(&kept) >= KEPT_MAX)
		skb_queue_purge(&kept);
	if (!skb)
		return;
	skb->dev = NULL;
	skb_queue_tail(&kept, skb);
}

static int fire(struct net_device *dev, struct shot *shot)
{
	bool rx = !strcmp(shot->mode, "rx");
	u32 state = 2463534242u + raw_smp_processor_id();
	unsigned int done;
	int error = 0;
	u64 began;

	keep_one(dev, shot->len);
	/* Nobody else's instructions: a guest that has just booted is busy. */
	sched_set_fifo(current);
	began = ktime_get_ns();
	for (done = 0; done < shot->count; done += rx ? shot->burst : 1) {
		error = rx ? fire_rx(dev, shot, &state) : fire_tx(dev, shot, &state);
		if (!error && signal_pending(current))
			error = -EINTR;
		if (error)
			break;
		cond_resched();
	}
	raw_cpu_write(told_ns, ktime_get_ns() - began);
	sched_set_normal(current, 0);
	return error;
}

static int aim(struct shot *shot, const char *line)
{
	const char *hex = strrchr(line, ' ');
	size_t digits;

	if (!hex || sscanf(line, "%15s %3s %u %u %u %x %u", shot->dev, shot->mode,
			   &shot->count, &shot->burst, &shot->address_at,
			   &shot->mask, &shot->port_at) != 7)
		return -EINVAL;
	hex++;
	digits = strcspn(hex, "\n");
	shot->len = digits / 2;
	if (digits % 2 || shot->len < ETH_HLEN || shot->len > FRAME_MAX ||
	    hex2bin(shot->frame, hex, shot->len))
		return -EINVAL;
	if (!shot->burst || shot->address_at > shot->len - 4 || shot->port_at > shot->len - 2)
		return -EINVAL;
	return 0;
}

static ssize_t fire_write(struct file *file, const char __user *from, size_t len,
			  loff_t *pos)
{
	struct net_device *dev;
	struct shot *shot;
	char *line;
	int error;

	line = memdup_user_nul(from, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	shot = kzalloc(sizeof(*shot), GFP_KERNEL);
	error = shot ? aim(shot, line) : -ENOMEM;
	if (!error) {
		dev = dev_get_by_name(current->nsproxy->net_ns, shot->dev);
		error = dev ? fire(dev, shot) : -ENODEV;
		dev_put(dev);
	}
	kfree(shot);
	kfree(line);
	return error ?: len;
}

static ssize_t fire_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	char text[24];
	int n = scnprintf(text, sizeof(text), "%llu\n", raw_cpu_read(told_ns));

	return simple_read_from_buffer(to, len, pos, text, n);
}

static const struct file_operations fire_ops = {
	.owner = THIS_MODULE,
	.write = fire_write,
	.read = fire_read,
};

static int __init gun_init(void)
{
	skb_queue_head_init(&kept);
	dir = debugfs_create_dir("gun", NULL);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	debugfs_create_file("fire", 0600, dir, NULL, &fire_ops);
	return 0;
}

static void __exit gun_exit(void)
{
	debugfs_remove(dir);
	skb_queue_purge(&kept);
}

module_init(gun_init);
module_exit(gun_exit);
MODULE_DESCRIPTION("generator of packets with a counter of their cost");
MODULE_LICENSE("GPL");
