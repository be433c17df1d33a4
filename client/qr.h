/* SPDX-License-Identifier: Apache-2.0 */
/* qr.h - an address as a QR code on a terminal, for telephones.  Layer: client. */
#ifndef ND_CLIENT_QR_H
#define ND_CLIENT_QR_H

#include "client/writer.h"

/* Only on a terminal that shows UTF-8 and is wide enough, and where libqrencode is installed: else nothing, and false. */
bool qr_print(struct writer *writer, const char *text);

#endif
