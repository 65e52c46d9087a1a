/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions for what the kernel's headers offer only as macro or inline. */
#ifndef NLB_KAPI_HELPERS_H
#define NLB_KAPI_HELPERS_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <crypto/sha2.h>

/* skb.c of the kernel, its inline half */
struct sk_buff *nlb_helper_alloc_frame(struct net_device *dev, unsigned int len);
void nlb_helper_send_frame(struct sk_buff *skb, struct net_device *dev,
			   const u8 *dst, u16 protocol, unsigned int len);
void nlb_helper_kfree_skb(struct sk_buff *skb);
void nlb_helper_consume_skb(struct sk_buff *skb);
unsigned int nlb_helper_drop(struct sk_buff *skb, unsigned int reason, bool refused);
void nlb_helper_free_later(void *object);
int nlb_helper_skb_network_offset(const struct sk_buff *skb);
int nlb_helper_skb_ensure_writable(struct sk_buff *skb, unsigned int len);
bool nlb_helper_skb_of_connected(const struct sk_buff *skb);

/* devices */
void nlb_helper_dev_hold(struct net_device *dev, netdevice_tracker *tracker);
void nlb_helper_dev_put(struct net_device *dev, netdevice_tracker *tracker);
struct net *nlb_helper_dev_net(const struct net_device *dev);
struct net *nlb_helper_dev_net_rcu(const struct net_device *dev);
bool nlb_helper_dev_listed(struct net_device *dev);
void nlb_helper_unhook(const struct net_device *dev, const struct nf_hook_ops *ops);
bool nlb_helper_dev_carrier(const struct net_device *dev);
bool nlb_helper_dev_takes_unicast(const struct net_device *dev);
bool nlb_helper_dev_is_port(struct net_device *dev);
struct net_device *nlb_helper_next_device(struct net *net, struct net_device *dev);
unsigned int nlb_helper_dev_mtu(const struct net_device *dev);
int nlb_helper_join4(struct net_device *dev, __be32 group);
void nlb_helper_leave4(struct net_device *dev, __be32 group);
int nlb_helper_join6(struct net_device *dev, const u8 *group);
void nlb_helper_leave6(struct net_device *dev, const u8 *group);
bool nlb_helper_has_family(const struct net_device *dev, bool v6);
bool nlb_helper_dev_is_vrf(const struct net_device *dev);
bool nlb_helper_is_local4(struct net_device *dev, __be32 addr);
bool nlb_helper_is_local6(const struct net_device *dev, const u8 *addr);
bool nlb_helper_own4(const struct net_device *dev, unsigned int nth, __be32 *addr);
bool nlb_helper_same_net(const struct net_device *one, const struct net_device *other);
const struct net_device *nlb_helper_ifa4_dev(const void *ifa);
const struct net_device *nlb_helper_ifa6_dev(const void *ifa);
bool nlb_helper_link_local(const struct net_device *dev, u8 *addr);

/* devices that have addresses and carry no packets */
int nlb_helper_address_device_register(void);
void nlb_helper_address_device_unregister(void);
struct net_device *nlb_helper_address_device_make(struct net *net);
bool nlb_helper_is_address_device(const struct net_device *dev);

/* RCU */
void nlb_helper_wait_rcu(unsigned long state);

/* BH and per-CPU */
void nlb_helper_bh_disable(void);
void nlb_helper_bh_enable(void);
u64 __percpu *nlb_helper_percpu_alloc(size_t words);
void nlb_helper_percpu_inc(u64 __percpu *counters, size_t index);
u64 nlb_helper_percpu_sum(u64 __percpu *counters, size_t index);

/* netlink */
struct sk_buff *nlb_helper_genlmsg_new(size_t payload, bool atomic);
void nlb_helper_genlmsg_end(struct sk_buff *skb, void *header);
void nlb_helper_genlmsg_cancel(struct sk_buff *skb, void *header);
int nlb_helper_genlmsg_reply(struct sk_buff *skb, struct genl_info *info);
int nlb_helper_genlmsg_multicast(const struct genl_family *family,
				 struct net *net, struct sk_buff *skb,
				 unsigned int group);
bool nlb_helper_genl_has_listeners(const struct genl_family *family,
				   struct net *net, unsigned int group);
void nlb_helper_nlmsg_free(struct sk_buff *skb);
struct net *nlb_helper_genl_net(const struct genl_info *info);
const struct genl_info *nlb_helper_genl_info_dump(struct netlink_callback *cb);
u32 nlb_helper_netlink_portid(const struct sk_buff *skb);
bool nlb_helper_netlink_admin(const struct sk_buff *skb);
void nlb_helper_dump_check(struct netlink_callback *cb, void *header);

/* sockets */
u32 nlb_helper_tcp4_state(const struct net_device *dev, __be32 saddr, __be16 sport,
			  __be32 daddr, u16 dport, u32 *awaited);
u32 nlb_helper_tcp6_state(const struct net_device *dev, const u8 *saddr, __be16 sport,
			  const u8 *daddr, u16 dport, u32 *awaited);
bool nlb_helper_tcp4_cookie(const struct net_device *dev, __be32 saddr, __be16 sport,
			    __be32 daddr, u16 dport, u32 seq, u32 ack);
bool nlb_helper_tcp6_cookie(const struct net_device *dev, const u8 *saddr, __be16 sport,
			    const u8 *daddr, u16 dport, u32 seq, u32 ack);

/* connection tracking, where it is loaded */
enum {
	NLB_CT_NONE,
	NLB_CT_HALF_OPEN,
	NLB_CT_ESTABLISHED,
};

bool nlb_helper_module_is(const void *module, const char *name);
bool nlb_helper_module_named(const char *name, void **module);
unsigned int nlb_helper_ct_lookup(void *find, const void *owner, const struct net_device *dev,
				 bool v6, u8 protocol, const u8 *saddr, __be16 sport,
				 const u8 *daddr, __be16 dport, u32 *awaited);

/* work in process context */
void nlb_helper_init_work(struct work_struct *work, work_func_t func);
void nlb_helper_queue_work(struct work_struct *work);
void nlb_helper_cond_resched(void);

typedef void (*nlb_tcp_found)(void *context, bool v6, const void *client, u16 client_port,
			      const void *local, u16 local_port, bool lives);
u32 nlb_helper_tcp_walk(const struct net *net, u32 from, u32 budget, nlb_tcp_found found,
			void *context);

/* work in process context */
void nlb_helper_work_init(struct delayed_work *work, work_func_t func);
void nlb_helper_work_queue(struct delayed_work *work, u32 ms);

/* Symbols of the module nf_conntrack. */
struct nlb_ct_table {
	void *count;
	void *hash;
	void *size;
	void *locks;
	void *lock;
};

bool nlb_helper_ct_table_get(struct nlb_ct_table *table);
void nlb_helper_ct_table_put(const struct nlb_ct_table *table);
u32 nlb_helper_ct_parts(const struct nlb_ct_table *table, const struct net *net);
bool nlb_helper_ct_walk(const struct nlb_ct_table *table, const struct net *net, u32 part,
			u32 since_ms, const void **seen, nlb_tcp_found found, void *context);

/* memory cgroups */
struct mem_cgroup *nlb_helper_memcg_get(void);
void nlb_helper_memcg_put(struct mem_cgroup *memcg);
struct mem_cgroup *nlb_helper_memcg_switch(struct mem_cgroup *memcg);
void *nlb_helper_kvcalloc_account(size_t count, size_t size);

/* user namespaces */
bool nlb_helper_net_owner(const struct net *net, u32 *owner);

/* module parameters, see helpers_param.c */
enum {
	NLB_USER_CLUSTERS_MAX = 16,
};

bool nlb_helper_param_user_namespaces(void);
u32 nlb_helper_param_user_clusters_max(void);

/* sleep of the machine */
int nlb_helper_pm_register(struct notifier_block *block);
void nlb_helper_pm_unregister(struct notifier_block *block);
int nlb_helper_vmfork_register(struct notifier_block *block);
void nlb_helper_vmfork_unregister(struct notifier_block *block);

/* this module */
bool nlb_helper_this_module_get(void);
void nlb_helper_this_module_put(void);

/* secrets */
void nlb_helper_wipe(void *secret, size_t len);
bool nlb_helper_equal(const void *a, const void *b, size_t len);

#endif
