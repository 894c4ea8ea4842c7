/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "allocator_state.h"

enum { FAMILIES = 2, MAC_SIZE = 6 };

bool task_needs(const Fl__Task *task)
{
	return task->status && task->status->state == FL__TASK_STATE__NEW &&
	       task->desired_state <= FL__TASK_STATE__COMPLETE;
}

/* One that is to end keeps its addresses until it has. */
static bool is_over(const Fl__Task *task)
{
	return task->status && task->status->state > FL__TASK_STATE__RUNNING &&
	       task->desired_state > FL__TASK_STATE__RUNNING;
}

int task_take(struct allocator *allocator, struct allocation *record)
{
	const Fl__Task *task = record->object;
	int rc = 0;

	for (size_t i = 0; !is_over(task) && i < task->n_networks_attachments; i++) {
		const Fl__NetworkAttachment *attachment = task->networks_attachments[i];

		for (size_t j = 0; !rc && j < attachment->n_addresses; j++)
			rc = network_retake_address(allocator, attachment->network_id,
						    attachment->addresses[j], &record->claims);
	}
	return rc;
}

/* An attachment in the making. */
struct draft {
	Fl__NetworkAttachment message;
	char *addresses[FAMILIES];
	char texts[FAMILIES][ADDRESS_TEXT_SIZE];
	uint8_t mac[MAC_SIZE];
};

/* Docker's: locally administered, and the IPv4 address. */
static void write_mac(struct draft *draft, ip_address number)
{
	draft->mac[0] = 0x02;
	draft->mac[1] = 0x42;
	for (int i = MAC_SIZE - 1; i > 1; i--, number >>= 8)
		draft->mac[i] = (uint8_t)number;
	draft->message.has_mac = true;
	draft->message.mac = (ProtobufCBinaryData){MAC_SIZE, draft->mac};
}

/* On an overlay network: one of each family that it has. */
static int take_addresses(struct allocation *network, struct draft *draft, struct claims *claims,
			  struct problem *problem)
{
	size_t count = 0;

	for (int v4 = 1; v4 >= 0; v4--) {
		ip_address number;
		const int rc = network_take_address(network, v4, claims, draft->texts[count],
						    &number, problem);

		if (rc == -ENOENT)
			continue;
		if (rc)
			return rc;
		draft->addresses[count] = draft->texts[count];
		count++;
		if (v4 || count == 1)
			write_mac(draft, number);
	}
	draft->message.addresses = draft->addresses;
	draft->message.n_addresses = count;
	return 0;
}

static int attach(struct allocator *allocator, const char *network_id,
		  const Fl__NetworkAttachmentConfig *config, struct draft *draft,
		  struct claims *claims, struct problem *problem)
{
	struct allocation *network =
	    network_id ? id_map_get(&allocator->objects[ALLOCATION_NETWORKS], network_id) : NULL;
	const int rc = network_is_ready(network, problem);

	if (rc)
		return rc;
	fl__network_attachment__init(&draft->message);
	draft->message.network_id = text_field(network_id);
	if (config) {
		draft->message.aliases = config->aliases;
		draft->message.n_aliases = config->n_aliases;
		draft->message.driver_opts = config->driver_opts;
		draft->message.n_driver_opts = config->n_driver_opts;
	}
	if (!network_is_overlay(network_of(network)))
		return 0;
	return take_addresses(network, draft, claims, problem);
}

static int write_pending(const Fl__Task *task, const Fl__Service *service,
			 Fl__NetworkAttachment **attachments, size_t count, int64_t now,
			 struct transaction *transaction)
{
	Fl__TaskStatus status = *task->status;
	Fl__Task update = *task;

	status.has_state = status.has_timestamp = true;
	status.state = FL__TASK_STATE__PENDING;
	status.timestamp = now;
	status.message = text_field("pending task scheduling");
	status.err = NULL;
	update.status = &status;
	update.networks_attachments = attachments;
	update.n_networks_attachments = count;
	if (service)
		update.endpoint = service->endpoint;
	return transaction_update(transaction, &update.base);
}

/* The ingress network first, as Docker shows them. */
static int attach_all(struct allocator *allocator, struct allocation *record,
		      const Fl__Service *service, size_t targets, int64_t now,
		      struct transaction *transaction, struct problem *problem)
{
	const Fl__Task *task = record->object;
	struct draft *drafts = calloc(targets + 1, sizeof(*drafts));
	Fl__NetworkAttachment **list = calloc(targets + 1, sizeof(Fl__NetworkAttachment *));
	struct claims claims = {0};
	size_t count = 0;
	int rc = drafts && list ? 0 : -ENOMEM;

	if (!rc && service && service_publishes(service)) {
		rc = attach(allocator, allocator->ingress ? allocator->ingress->id : NULL, NULL,
			    &drafts[0], &claims, problem);
		list[count++] = &drafts[0].message;
	}
	for (size_t i = 0; !rc && i < targets; i++) {
		const Fl__NetworkAttachmentConfig *config =
		    attachment_at(task->spec, service ? service->spec : NULL, i);

		rc = attach(allocator, config->target, config, &drafts[count], &claims, problem);
		list[count] = &drafts[count].message;
		count++;
	}
	if (!rc)
		rc = write_pending(task, service, list, count, now, transaction);
	if (!rc)
		rc = claims_move(&record->claims, &claims);
	claims_cancel(&claims); /* what is left of them: it did not come to be */
	free(list);
	free(drafts);
	return rc;
}

int task_allocate(struct allocator *allocator, struct allocation *record, int64_t now,
		  struct transaction *transaction, struct problem *problem)
{
	const Fl__Task *task = record->object;
	const Fl__Service *service = NULL;
	size_t targets = 0;

	if (task->service_id && *task->service_id) {
		const struct allocation *owner =
		    id_map_get(&allocator->objects[ALLOCATION_SERVICES], task->service_id);
		int needs;

		if (!owner)
			return -EAGAIN;
		service = service_of(owner);
		needs = service_needs(allocator, service);
		if (needs < 0)
			return needs;
		if (needs && service->allocation_error)
			return problem_set(problem, -EINVAL, "%s", service->allocation_error);
		if (needs)
			return -EAGAIN;
	}
	while (attachment_at(task->spec, service ? service->spec : NULL, targets))
		targets++;
	return attach_all(allocator, record, service, targets, now, transaction, problem);
}
