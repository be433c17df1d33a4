/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the command line of notifyd. */
#include "daemon/app.h"

#include "common/log.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>

/* Blocks of this size go back to the system when they are freed; by itself the limit would rise with the first large one. */
#define LARGE_BLOCK (128 * 1024)
#define SPARE_HEAP (4 * 1024 * 1024) /* kept free for the next mails; a quiet notifyd gives it back (trim.c) */

enum {
	OPT_CONFIG = 'c',
	OPT_CHECK = 256,
	OPT_SOCKET,
	OPT_STATE,
	OPT_PROBE,
	OPT_DOCTOR,
	OPT_TO,
	OPT_NO_SEND,
	OPT_CERTIFICATE,
	OPT_SHOW,
	OPT_FOLDER,
	OPT_NEXT,
	OPT_LEVEL,
	OPT_VERSION,
	OPT_HELP
};

static const struct option options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "probe", required_argument, NULL, OPT_PROBE },
	{ "to", required_argument, NULL, OPT_TO },
	{ "doctor", no_argument, NULL, OPT_DOCTOR },
	{ "no-send", no_argument, NULL, OPT_NO_SEND },
	{ "make-certificate", required_argument, NULL, OPT_CERTIFICATE },
	{ "show-certificate", required_argument, NULL, OPT_SHOW },
	{ "credentials-dir", required_argument, NULL, OPT_FOLDER },
	{ "next", no_argument, NULL, OPT_NEXT },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "state-dir", required_argument, NULL, OPT_STATE },
	{ "log-level", required_argument, NULL, OPT_LEVEL },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
    "usage: notifyd [options]\n"
    "\n"
    "Accepts alert jobs on a Unix socket, keeps them on disk and sends them by e-mail.\n"
    "It stays in the foreground.\n"
    "\n"
    "  --config FILE      read FILE and conf.d/*.conf beside it (" ND_SYSCONFDIR "/notifyd/notifyd.conf)\n"
    "  --check            read the configuration, say what is wrong with it, and end\n"
    "  --probe ACCOUNT    test the account step by step, one line of JSON each, and end\n"
    "  --to ADDRESS       with --probe: send the message there\n"
    "  --no-send          with --probe: send no message\n"
    "  --doctor           look at what notifyd needs of this host, one line of JSON for each finding, and end\n"
    "  --make-certificate NAME\n"
    "                     make a key and a certificate for an application, say what to do with them, and end\n"
    "  --show-certificate NAME\n"
    "                     show the certificate of such a pair, with its thumbprint, and end\n"
    "  --credentials-dir DIR\n"
    "                     keep that key in DIR (" ND_SYSCONFDIR "/notifyd/credentials)\n"
    "  --next             make, or show, that pair beside the one that is in use\n"
    "  --socket PATH      serve PATH; operators at PATH with -admin before .sock\n"
    "  --state-dir DIR    keep queue and tokens in DIR (" ND_LOCALSTATEDIR "/lib/notifyd)\n"
    "  --log-level LEVEL  err warning notice info debug\n"
    "  --version          say the version and end\n"
    "  --help             say this and end\n"
    "\n"
    "Exit status: 0 ended as asked (--probe: it works), 3 --probe: not proved, 64 wrong options,\n"
    "66 there is no such certificate to show,\n"
    "69 --probe, --doctor: it failed, 71 or 74 the system refused something, 73 such a certificate is there,\n"
    "75 another notifyd uses the state directory, 78 a bad configuration.\n"
    "\n"
    "See notifyd(8), notifyd.conf(5), notifyctl(1).\n";

static int
wrong(const char *what)
{
	(void)fprintf(stderr, "notifyd: %s\nTry: notifyd --help\n", what);
	return EX_USAGE;
}

/* -1: go on; else the exit code. */
static int
read_options(int argc, char **argv, struct app_options *out)
{
	enum nd_level level;
	int option;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): before there are threads */
	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (option) {
		case OPT_CONFIG:
			out->config = optarg;
			break;
		case OPT_CHECK:
			out->check = true;
			break;
		case OPT_PROBE:
			out->probe = optarg;
			break;
		case OPT_TO:
			out->to = optarg;
			break;
		case OPT_NO_SEND:
			out->no_send = true;
			break;
		case OPT_DOCTOR:
			out->doctor = true;
			break;
		case OPT_CERTIFICATE:
			out->certificate = optarg;
			break;
		case OPT_SHOW:
			out->certificate = optarg;
			out->show = true;
			break;
		case OPT_FOLDER:
			out->credentials_dir = optarg;
			break;
		case OPT_NEXT:
			out->next = true;
			break;
		case OPT_SOCKET:
			out->socket = optarg;
			break;
		case OPT_STATE:
			out->state_dir = optarg;
			break;
		case OPT_LEVEL:
			if (!nd_log_level_named(optarg, &level))
				return wrong("--log-level takes err, warning, notice, info or debug");
			out->log_level = (int)level;
			break;
		case OPT_VERSION:
			(void)puts("notifyd " PACKAGE_VERSION);
			return EX_OK;
		case OPT_HELP:
			(void)fputs(usage, stdout);
			return EX_OK;
		default:
			return wrong("wrong option");
		}
	}
	if (!out->probe && (out->to || out->no_send))
		return wrong("--to and --no-send go with --probe");
	if (out->to && out->no_send)
		return wrong("--to and --no-send contradict each other");
	if (out->certificate == NULL && (out->credentials_dir != NULL || out->next))
		return wrong("--credentials-dir and --next go with --make-certificate and --show-certificate");
	return optind < argc ? wrong("notifyd takes options only") : -1;
}

/* systemd's folder, else the installed one. */
static const char *
default_state_dir(void)
{
	const char *dir = getenv("STATE_DIRECTORY"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */

	return dir && dir[0] == '/' && !strchr(dir, ':') ? dir : ND_LOCALSTATEDIR "/lib/notifyd";
}

int
main(int argc, char **argv)
{
	struct app_options chosen = { .log_level = -1 };
	int code = read_options(argc, argv, &chosen);

	if (code >= 0)
		return code;
	if (!chosen.state_dir)
		chosen.state_dir = default_state_dir();
	(void)umask(077);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK); /* NOLINT(concurrency-mt-unsafe): before there are threads */
	(void)mallopt(M_TRIM_THRESHOLD, SPARE_HEAP);  /* NOLINT(concurrency-mt-unsafe) */
#ifndef ND_SANITIZED                                  /* the leak checker reads its own process */
	(void)prctl(PR_SET_DUMPABLE, 0); /* memory holds tokens: no core dump, no reading by others of our user */
#endif
	if (chosen.show)
		return certificate_show(&chosen);
	return chosen.certificate != NULL ? certificate_make(&chosen) : app_run(&chosen);
}
