/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FL_LIST_H
#define FL_LIST_H
/* A circular list whose links lie in its members. A link that is in no list points to itself. */
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *before;
};

#define LIST_ENTRY(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
	list->next = list->before = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_remove(struct list *link)
{
	link->before->next = link->next;
	link->next->before = link->before;
	list_init(link);
}

/* At the end. */
static inline void list_append(struct list *list, struct list *link)
{
	link->before = list->before;
	link->next = list;
	list->before->next = link;
	list->before = link;
}

/* All of one list to the end of another. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->before = to->before;
	to->before->next = from->next;
	from->before->next = to;
	to->before = from->before;
	list_init(from);
}
#endif
