// SPDX-License-Identifier: GPL-2.0-only
/* Connection tracking, where it is loaded: see conntrack.rs. */
#include <linux/module.h>
#include <linux/string.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_extend.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "helpers.h"

bool nlb_helper_module_is(const void *module, const char *name)
{
	return !strcmp(((const struct module *)module)->name, name);
}

/*
 * The module with this name, which the caller keeps from going; NULL if that is part of the kernel itself. False if
 * there is none. find_module() is not exported: the modules' directory in sysfs, which is that of this module, has
 * them all.
 */
bool nlb_helper_module_named(const char *name, void **module)
{
	struct kset *modules = THIS_MODULE->mkobj.kobj.kset;
	struct kobject *kobj = modules ? kset_find_obj(modules, name) : NULL;

	if (!kobj)
		return false;
	*module = container_of(kobj, struct module_kobject, kobj)->mod;
	kobject_put(kobj);
	return true;
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
/*
 * Whether a connection lives, and this host translates its addresses: without that it is a socket's, and the socket
 * knows better. A closed connection stays in the table for minutes; its client may have begun another one elsewhere.
 */
static unsigned int nlb_ct_state(const struct nf_conn *ct, enum ip_conntrack_dir dir, u32 *awaited)
{
	if (!(READ_ONCE(ct->status) & IPS_NAT_MASK) || nf_ct_is_dying(ct) || nf_ct_is_expired(ct))
		return NLB_CT_NONE;
	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return NLB_CT_ESTABLISHED;
	switch (READ_ONCE(ct->proto.tcp.state)) {
	case TCP_CONNTRACK_SYN_SENT:
		/* A SYN of this side waits for its SYN-ACK; one of the other side for nothing but itself. */
		return dir == IP_CT_DIR_REPLY ? NLB_CT_ESTABLISHED : NLB_CT_NONE;
	case TCP_CONNTRACK_SYN_RECV:
		if (dir == IP_CT_DIR_REPLY)
			return NLB_CT_ESTABLISHED;
		*awaited = READ_ONCE(ct->proto.tcp.seen[IP_CT_DIR_REPLY].td_end);
		return NLB_CT_HALF_OPEN;
	case TCP_CONNTRACK_ESTABLISHED:
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
	case TCP_CONNTRACK_LAST_ACK:
		return NLB_CT_ESTABLISHED;
	default:
		return NLB_CT_NONE;
	}
}
#endif

/*
 * What connection tracking knows of the flow of a packet that came from @dev, asked by its function @find, which is
 * one of the module @owner (NULL: of the kernel). Context: RCU read side.
 *
 * The module is not held, so that it may go. It is marked as going before its exit runs, and that waits for all RCU
 * read sides before it frees a thing (nf_conntrack_cleanup_net_list()): who sees it alive here may use it until the
 * read side ends.
 */
unsigned int nlb_helper_ct_lookup(void *find, const void *owner, const struct net_device *dev,
				 bool v6, u8 protocol, const u8 *saddr, __be16 sport,
				 const u8 *daddr, __be16 dport, u32 *awaited)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	typeof(nf_conntrack_find_get) *find_get = find;
	/* As nf_ct_zone_dflt, which is the other module's. */
	const struct nf_conntrack_zone zone = {
		.id = NF_CT_DEFAULT_ZONE_ID,
		.dir = NF_CT_DEFAULT_ZONE_DIR,
	};
	struct nf_conntrack_tuple tuple = {};
	struct nf_conntrack_tuple_hash *found;
	size_t len = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
	unsigned int state;
	struct nf_conn *ct;

	if (owner && READ_ONCE(((const struct module *)owner)->state) != MODULE_STATE_LIVE)
		return NLB_CT_NONE;
	memcpy(&tuple.src.u3, saddr, len);
	memcpy(&tuple.dst.u3, daddr, len);
	tuple.src.u.all = sport;
	tuple.dst.u.all = dport;
	tuple.src.l3num = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	tuple.dst.protonum = protocol;
	found = find_get(dev_net(dev), &zone, &tuple);
	if (!found)
		return NLB_CT_NONE;
	ct = nf_ct_tuplehash_to_ctrack(found);
	state = nlb_ct_state(ct, NF_CT_DIRECTION(found), awaited);
	/* The one that does not need the other module. */
	nf_conntrack_put(&ct->ct_general);
	return state;
#else
	return NLB_CT_NONE;
#endif
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
static void nlb_show_tuple(const struct nf_conntrack_tuple *tuple, bool lives, nlb_tcp_found found,
			   void *context)
{
	found(context, tuple->src.l3num == NFPROTO_IPV6, &tuple->src.u3,
		    be16_to_cpu(tuple->src.u.tcp.port), &tuple->dst.u3,
		    be16_to_cpu(tuple->dst.u.tcp.port), lives);
}

/*
 * Whether no packet of a connection has come for @since_ms: then this host has stopped since, which ended it, and its entry
 * stays for days. Its time to live is set anew by each packet. That of an entry which waits for an answer, or has a
 * policy or a fixed end of its own, tells nothing: it counts as one that lives, and most such entries go within minutes.
 * One that is older than a longer nf_conntrack_tcp_timeout_established looks stale until its next packet.
 */
static bool nlb_ct_is_stale(const struct net *net, const struct nf_conn *ct, u32 since_ms)
{
	const unsigned int *timeouts = nf_tcp_pernet((struct net *)net)->timeouts;
	unsigned int state = READ_ONCE(ct->proto.tcp.state);
	u32 left = nf_ct_expires(ct), whole;

	if (state >= TCP_CONNTRACK_MAX || test_bit(IPS_OFFLOAD_BIT, &ct->status) ||
	    test_bit(IPS_HW_OFFLOAD_BIT, &ct->status) || test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status))
		return false;
#ifdef CONFIG_NF_CONNTRACK_TIMEOUT
	if (nf_ct_ext_exist(ct, NF_CT_EXT_TIMEOUT))
		return false;
#endif
	whole = READ_ONCE(timeouts[state]);
	if (left <= READ_ONCE(timeouts[TCP_CONNTRACK_UNACK]) ||
	    left <= READ_ONCE(timeouts[TCP_CONNTRACK_RETRANS]) || left > whole)
		return false;
	return jiffies_to_msecs(whole - left) > since_ms;
}

/* As packets from the other end have it: of a connection that was made to here the one, of one from here the other. */
static void nlb_show_ct(const struct net *net, const struct nf_conn *ct, u32 since_ms,
			nlb_tcp_found found, void *context)
{
	unsigned long status = READ_ONCE(ct->status);
	bool lives;
	u32 awaited;

	if (nf_ct_protonum(ct) != IPPROTO_TCP ||
	    nlb_ct_state(ct, IP_CT_DIR_REPLY, &awaited) == NLB_CT_NONE)
		return;
	lives = !nlb_ct_is_stale(net, ct, since_ms);
	if (status & IPS_DST_NAT)
		nlb_show_tuple(nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), lives, found, context);
	if (status & IPS_SRC_NAT)
		nlb_show_tuple(nf_ct_tuple(ct, IP_CT_DIR_REPLY), lives, found, context);
}
#endif

/*
 * What of the other module is needed to look at its table; the module does not go while they are held. False if it is
 * not loaded, and then nothing is held. Context: process.
 */
bool nlb_helper_ct_table_get(struct nlb_ct_table *table)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	table->count = __symbol_get("nf_conntrack_count");
	table->hash = __symbol_get("nf_conntrack_hash");
	table->size = __symbol_get("nf_conntrack_htable_size");
	table->locks = __symbol_get("nf_conntrack_locks");
	table->lock = __symbol_get("nf_conntrack_lock");
	if (table->count && table->hash && table->size && table->locks && table->lock)
		return true;
	nlb_helper_ct_table_put(table);
#endif
	return false;
}

void nlb_helper_ct_table_put(const struct nlb_ct_table *table)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	if (table->count)
		__symbol_put("nf_conntrack_count");
	if (table->hash)
		__symbol_put("nf_conntrack_hash");
	if (table->size)
		__symbol_put("nf_conntrack_htable_size");
	if (table->locks)
		__symbol_put("nf_conntrack_locks");
	if (table->lock)
		__symbol_put("nf_conntrack_lock");
#endif
}

/* Whether there are connections of @net, and in how many parts the table is to be looked at. Context: RCU read side. */
u32 nlb_helper_ct_parts(const struct nlb_ct_table *table, const struct net *net)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	u32 (*count)(const struct net *net) = table->count;

	return count(net) ? CONNTRACK_LOCKS : 0;
#else
	return 0;
#endif
}

/*
 * Shows the TCP connections of @net whose addresses this host translates, as far as they are in one part of the table:
 * the chains that share a lock. @seen is the table's address, NULL for the first part; false if the table is another
 * one by now, for it was resized: then connections may have moved from a part that is to come to one that was. Those
 * that have had no packet for @since_ms do not count as living. @found is called under the lock, with BH off, and must be short.
 * Context: process, without locks.
 */
bool nlb_helper_ct_walk(const struct nlb_ct_table *table, const struct net *net, u32 part,
			u32 since_ms, const void **seen, nlb_tcp_found found, void *context)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	const unsigned int *size = table->size;
	struct hlist_nulls_head **hash = table->hash;
	spinlock_t *lock = (spinlock_t *)table->locks + part;
	void (*take)(spinlock_t *lock) = table->lock;
	const struct nf_conntrack_tuple_hash *h;
	const struct hlist_nulls_node *node;
	bool same;
	u32 chain;

	local_bh_disable();
	/* Who resizes the table has all locks. */
	take(lock);
	same = !*seen || *seen == *hash;
	*seen = *hash;
	for (chain = part; same && chain < *size; chain += CONNTRACK_LOCKS) {
		hlist_nulls_for_each_entry(h, node, &(*hash)[chain], hnnode) {
			const struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(h);

			/* Each has two entries, one for each direction; some have this one only. */
			if (NF_CT_DIRECTION(h) == IP_CT_DIR_REPLY && net_eq(net, nf_ct_net(ct)))
				nlb_show_ct(net, ct, since_ms, found, context);
		}
	}
	spin_unlock(lock);
	local_bh_enable();
	return same;
#else
	return true;
#endif
}
