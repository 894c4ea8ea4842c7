/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_TESTS_KV_SERVER_H
#define FL_TESTS_KV_SERVER_H
/*
 * What clients of a raft-kv say, in lines over TCP, any number before the first is answered. TAG is
 * the client's word for the request; answers come in any order.
 *
 *   TAG get KEY                       TAG VALUE
 *   TAG put KEY VALUE [anything]      TAG ok
 *   TAG cas KEY EXPECTED VALUE        TAG WHAT-WAS-THERE (it was changed if that is EXPECTED)
 *   TAG status                        TAG id=.. term=.. state=.. leader=.. commit=.. applied=..
 *                                     first=.. last=.. stalled=.. voters=.. learners=..
 *   TAG learner|promote|demote|remove|move ID [ADDRESS]      TAG ok
 *   TAG transfer ID                   TAG ok (asked for; whether it happens is another matter)
 *
 * or, of all of them:
 *
 *   TAG redirect ADDRESS    not here, and not done; ADDRESS: of the leader for clients, - if
 * unknown TAG busy                not done; later TAG unknown             done, or will be, or will
 * not TAG error WHY           never
 */
#include "kv_store.h"
#include "node.h"

struct kv_server;
/* Where a member listens for clients: the port above the one where it listens for members. */
int kv_server_open(uv_loop_t *loop, const char *address, struct kv_store *store,
		   struct kv_server **out);
/* Once the node is there; no line is read before. */
void kv_server_serve(struct kv_server *server, struct raft_node *node);
void kv_server_flush(struct kv_server *server); /* when a turn has ended */
void kv_server_close(struct kv_server *server);
#endif
