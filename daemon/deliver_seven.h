/* SPDX-License-Identifier: Apache-2.0 */
/* deliver_seven.h - a message on its way to a relay that takes seven bits.
 *
 * core/mime_seven converts. What is in memory is converted at once; what is in the spool is looked at and measured here, piece by piece, and converted
 * while it leaves: each try reads the file anew, and says the same.
 */
#ifndef ND_DELIVER_SEVEN_H
#define ND_DELIVER_SEVEN_H

#include "common/buf.h"
#include "daemon/core/mime_encode.h"
#include "daemon/core/store.h"
#include "daemon/io/spool.h"

/* Adds the message, whose octets are these pieces, one behind the other; `needed` false: nothing, it has seven bits as it is. ND_EMEDIATYPE: it can be
 * said in no other way. */
enum nd_err deliver_seven_add(struct nd_buf *out, const struct mime_piece *pieces, unsigned count, bool *needed,
    struct nd_why *why) ND_MUST_CHECK;

struct deliver_seven;
/* Of a job in the spool: `head`, borrowed, then its body from `skip` on. *out NULL: it has seven bits as it is. */
enum nd_err deliver_seven_open(struct spool *spool, const struct queue_job *job, const struct mime_piece *head,
    uint64_t skip, struct deliver_seven **out, struct nd_why *why) ND_MUST_CHECK;
uint64_t deliver_seven_len(const struct deliver_seven *seven); /* of all that read gives */
ssize_t deliver_seven_read(
    void *arg, char *out, size_t len, struct nd_why *why); /* arg: seven; as struct smtp_link_mail has it */
void deliver_seven_close(struct deliver_seven *seven);     /* NULL is fine */

#endif
