/* SPDX-License-Identifier: Apache-2.0 */
/* version.h - what --version says; the build passes it.  Layer: client. */
#ifndef ND_CLIENT_VERSION_H
#define ND_CLIENT_VERSION_H

#ifdef PACKAGE_VERSION
#define VERSION_TEXT PACKAGE_VERSION
#else
#define VERSION_TEXT "0"
#endif

#endif
