// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plain case of nlb's decision as an XDP program, to compare with: a VIP,
 * TCP or UDP, a keyed SipHash-1-3 of the client's address and port, and one bit
 * of a map. No rules, no second chance, no counters.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#define VIP __builtin_bswap32(0x0a63000a)
#define ROL(x, n) ((x) << (n) | (x) >> (64 - (n)))

#define ROUND(a, b, c, d)                                                                          \
	do {                                                                                       \
		a += b, b = ROL(b, 13) ^ a, a = ROL(a, 32);                                        \
		c += d, d = ROL(d, 16) ^ c;                                                        \
		a += d, d = ROL(d, 21) ^ a;                                                        \
		c += b, b = ROL(b, 17) ^ c, c = ROL(c, 32);                                        \
	} while (0)

static __always_inline __u64 hash(__u64 word)
{
	__u64 a = 0x736f6d6570736575, b = 0x646f72616e646f6d;
	__u64 c = 0x6c7967656e657261, d = 0x7465646279746573;

	word |= 6ULL << 56;
	d ^= word;
	ROUND(a, b, c, d);
	a ^= word;
	c ^= 0xff;
	ROUND(a, b, c, d);
	ROUND(a, b, c, d);
	ROUND(a, b, c, d);
	return a ^ b ^ c ^ d;
}

__attribute__((section("xdp"), used)) int decide(struct xdp_md *context)
{
	void *data = (void *)(long)context->data;
	void *end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	__u16 *port = (void *)(ip + 1);
	__u64 bucket, mine;

	if ((void *)(port + 2) > end || ethernet->h_proto != __builtin_bswap16(ETH_P_IP))
		return XDP_PASS;
	if (ip->daddr != VIP)
		return XDP_PASS;
	if (ip->version != 4 || ip->ihl != 5 || ip->frag_off & __builtin_bswap16(0x3fff))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	bucket = hash(ip->saddr | (__u64)*port << 32) >> 58;
	/* No bucket is ours, as on a host that was never a member; the compiler must not know. */
	asm volatile("%0 = 0" : "=r"(mine));
	return mine >> bucket & 1 ? XDP_PASS : XDP_DROP;
}

char _license[] __attribute__((section("license"), used)) = "GPL";
