# tests/ - one program for each file under test. "make check" needs no network and no root.
check_PROGRAMS =
check_LIBRARIES =
TESTS =
EXTRA_DIST += %D%/local.mk

if HAVE_CMOCKA
# Unit tests link core and common and nothing else: a core file that used a library of io would not link.
check_LIBRARIES += libunit.a
libunit_a_SOURCES = \
	%D%/unit/conf_kit.h \
	%D%/unit/dialogue.c \
	%D%/unit/dialogue.h \
	%D%/unit/dialogue_inner.h \
	%D%/unit/dialogue_words.c \
	%D%/unit/engine_kit.h \
	%D%/unit/engine_pair.h \
	%D%/unit/engine_world.h \
	%D%/unit/explain_texts.def \
	%D%/unit/rows.h
UNIT_TESTS = \
	%D%/unit/test_access \
	%D%/unit/test_act \
	%D%/unit/test_again \
	%D%/unit/test_api \
	%D%/unit/test_breaker \
	%D%/unit/test_buf \
	%D%/unit/test_claims \
	%D%/unit/test_command \
	%D%/unit/test_conf \
	%D%/unit/test_conf_compare \
	%D%/unit/test_echo \
	%D%/unit/test_conf_preset \
	%D%/unit/test_ending \
	%D%/unit/test_expiry \
	%D%/unit/test_downtime \
	%D%/unit/test_declined \
	%D%/unit/test_doctor \
	%D%/unit/test_engine \
	%D%/unit/test_engine_doubt \
	%D%/unit/test_engine_elsewhere \
	%D%/unit/test_engine_faults \
	%D%/unit/test_engine_limit \
	%D%/unit/test_engine_move \
	%D%/unit/test_engine_token \
	%D%/unit/test_engine_share \
	%D%/unit/test_engine_world \
	%D%/unit/test_err \
	%D%/unit/test_events \
	%D%/unit/test_explain \
	%D%/unit/test_filter \
	%D%/unit/test_form \
	%D%/unit/test_grant \
	%D%/unit/test_growth \
	%D%/unit/test_health \
	%D%/unit/test_hint \
	%D%/unit/test_identity \
	%D%/unit/test_idn \
	%D%/unit/test_intake_limit \
	%D%/unit/test_job \
	%D%/unit/test_json \
	%D%/unit/test_jwt \
	%D%/unit/test_keyfile \
	%D%/unit/test_late \
	%D%/unit/test_limit \
	%D%/unit/test_log \
	%D%/unit/test_machine \
	%D%/unit/test_mime \
	%D%/unit/test_mime_notice \
	%D%/unit/test_mime_plain \
	%D%/unit/test_mime_words \
	%D%/unit/test_oauth \
	%D%/unit/test_pool \
	%D%/unit/test_proxy_talk \
	%D%/unit/test_ready \
	%D%/unit/test_quota \
	%D%/unit/test_refusals \
	%D%/unit/test_report \
	%D%/unit/test_retry \
	%D%/unit/test_sched \
	%D%/unit/test_settle \
	%D%/unit/test_settle_rounds \
	%D%/unit/test_signin \
	%D%/unit/test_smtp_ext \
	%D%/unit/test_smtp_habits \
	%D%/unit/test_smtp_auth \
	%D%/unit/test_smtp_proto \
	%D%/unit/test_smtp_reply \
	%D%/unit/test_smtp_stuff \
	%D%/unit/test_smtp_window \
	%D%/unit/test_spread \
	%D%/unit/test_stamp \
	%D%/unit/test_stats \
	%D%/unit/test_store_port \
	%D%/unit/test_str \
	%D%/unit/test_token \
	%D%/unit/test_transcript \
	%D%/unit/test_ulid \
	%D%/unit/test_verdict \
	%D%/unit/test_watchdog
LDADD = libunit.a libcore.a libcommon.a $(CMOCKA_LIBS) $(YAJL_LIBS) $(IDN2_LIBS)

# Tests of io use real sockets and files, on this machine only.
check_LIBRARIES += libiotest.a
libiotest_a_SOURCES = \
	%D%/io/ahead.h \
	%D%/io/certs.h \
	%D%/io/explained.h \
	%D%/io/http_bench.h \
	%D%/io/http_link.h \
	%D%/io/shell.h \
	%D%/io/names.h \
	%D%/io/smtp_link_dialogue.h \
	%D%/io/smtp_link_kit.h \
	%D%/io/store_shim.c \
	%D%/io/store_shim.h \
	%D%/io/store_kit.c \
	%D%/io/store_case.h \
	%D%/io/store_kit.h
IO_TESTS = \
	%D%/io/test_cert \
	%D%/io/test_child \
	%D%/io/test_filer \
	%D%/io/test_http_client \
	%D%/io/test_http_server \
	%D%/io/test_http_server_slow \
	%D%/io/test_http_server_stream \
	%D%/io/test_inflight \
	%D%/io/test_jwt_sign \
	%D%/io/test_listen \
	%D%/io/test_loop \
	%D%/io/test_peer \
	%D%/io/test_reach \
	%D%/io/test_resolve \
	%D%/io/test_sasl \
	%D%/io/test_seal \
	%D%/io/test_secret \
	%D%/io/test_smtp_link \
	%D%/io/test_smtp_link_records \
	%D%/io/test_smtp_link_way \
	%D%/io/test_spool \
	%D%/io/test_store \
	%D%/io/test_store_crash \
	%D%/io/test_store_faults \
	%D%/io/test_store_keep \
	%D%/io/test_store_log \
	%D%/io/test_store_rcpt \
	%D%/io/test_store_read \
	%D%/io/test_store_upgrade \
	%D%/io/test_tls \
	%D%/io/test_tls_authorities \
	%D%/io/test_trim \
	%D%/io/test_watch \
	%D%/io/test_worker
# Of them, what uses OpenSSL: it must do so under FIPS as well.
FIPS_TESTS = \
	%D%/io/test_cert \
	%D%/io/test_http_client \
	%D%/io/test_jwt_sign \
	%D%/io/test_sasl \
	%D%/io/test_seal \
	%D%/io/test_smtp_link \
	%D%/io/test_smtp_link_way \
	%D%/io/test_tls \
	%D%/io/test_tls_authorities
IO_TEST_LIBS = libiotest.a libio.a libcore.a libcommon.a $(CMOCKA_LIBS) $(IO_LIBS) $(YAJL_LIBS) $(IDN2_LIBS)
%C%_io_test_cert_LDADD = $(IO_TEST_LIBS)
%C%_io_test_child_LDADD = $(IO_TEST_LIBS)
%C%_io_test_jwt_sign_LDADD = $(IO_TEST_LIBS)
%C%_io_test_watch_LDADD = $(IO_TEST_LIBS)
%C%_io_test_filer_LDADD = $(IO_TEST_LIBS)
%C%_io_test_http_client_LDADD = $(IO_TEST_LIBS)
%C%_io_test_http_server_LDADD = $(IO_TEST_LIBS)
%C%_io_test_http_server_slow_LDADD = $(IO_TEST_LIBS)
%C%_io_test_http_server_stream_LDADD = $(IO_TEST_LIBS)
%C%_io_test_inflight_LDADD = $(IO_TEST_LIBS)
%C%_io_test_listen_LDADD = $(IO_TEST_LIBS)
%C%_io_test_loop_LDADD = $(IO_TEST_LIBS)
%C%_io_test_peer_LDADD = $(IO_TEST_LIBS)
%C%_io_test_reach_LDADD = $(IO_TEST_LIBS)
%C%_io_test_resolve_LDADD = $(IO_TEST_LIBS)
%C%_io_test_sasl_LDADD = $(IO_TEST_LIBS)
%C%_io_test_seal_LDADD = $(IO_TEST_LIBS)
%C%_io_test_secret_LDADD = $(IO_TEST_LIBS)
%C%_io_test_smtp_link_LDADD = $(IO_TEST_LIBS)
%C%_io_test_smtp_link_records_LDADD = $(IO_TEST_LIBS)
%C%_io_test_smtp_link_way_LDADD = $(IO_TEST_LIBS)
%C%_io_test_spool_LDADD = $(IO_TEST_LIBS)
%C%_io_test_store_LDADD = $(IO_TEST_LIBS)
%C%_io_test_store_crash_LDADD = $(IO_TEST_LIBS)
%C%_io_test_store_faults_LDADD = $(IO_TEST_LIBS)
%C%_io_test_store_log_LDADD = $(IO_TEST_LIBS)
%C%_io_test_store_keep_LDADD = $(IO_TEST_LIBS)
%C%_io_test_store_rcpt_LDADD = $(IO_TEST_LIBS)
%C%_io_test_store_read_LDADD = $(IO_TEST_LIBS)
%C%_io_test_store_upgrade_LDADD = $(IO_TEST_LIBS)
%C%_io_test_tls_LDADD = $(IO_TEST_LIBS)
%C%_io_test_tls_authorities_LDADD = $(IO_TEST_LIBS)
%C%_io_test_trim_LDADD = $(IO_TEST_LIBS)
%C%_io_test_worker_LDADD = $(IO_TEST_LIBS)
%C%_unit_test_again_SOURCES = %D%/unit/test_again.c client/again.c
check_PROGRAMS += $(UNIT_TESTS) $(IO_TESTS)
TESTS += $(UNIT_TESTS) $(IO_TESTS)
endif

# Tests in Python, and the programs they drive.
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(PYTHON3)
AM_PY_LOG_FLAGS = -B
check_PROGRAMS += %D%/unit/mime_print
%C%_unit_mime_print_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
check_PROGRAMS += %D%/io/http_echo
%C%_io_http_echo_LDADD = libio.a libcore.a libcommon.a $(IO_LIBS) $(YAJL_LIBS) $(IDN2_LIBS)
IO_PY_TESTS = \
	%D%/io/http_rough.py \
	%D%/io/test_notifyctl.py
PY_TESTS = \
	%D%/unit/mime_oracle.py
TESTS += $(IO_PY_TESTS) $(PY_TESTS)
EXTRA_DIST += $(IO_PY_TESTS) $(PY_TESTS) %D%/io/certs.sh

# Fuzz programs. Without libFuzzer their main() replays the corpus, so that every build runs it.
FUZZ_TARGETS = \
	%D%/fuzz/fuzz_answer \
	%D%/fuzz/fuzz_conf \
	%D%/fuzz/fuzz_explain \
	%D%/fuzz/fuzz_intake \
	%D%/fuzz/fuzz_job \
	%D%/fuzz/fuzz_json \
	%D%/fuzz/fuzz_mime \
	%D%/fuzz/fuzz_oauth \
	%D%/fuzz/fuzz_proxy \
	%D%/fuzz/fuzz_request \
	%D%/fuzz/fuzz_smtp \
	%D%/fuzz/fuzz_text
check_PROGRAMS += $(FUZZ_TARGETS)
%C%_fuzz_fuzz_answer_SOURCES = %D%/fuzz/fuzz.h %D%/fuzz/fuzz_answer.c client/http.c client/http.h
%C%_fuzz_fuzz_answer_LDADD = libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_conf_SOURCES = %D%/fuzz/fuzz_conf.c
%C%_fuzz_fuzz_explain_SOURCES = %D%/fuzz/fuzz_explain.c
%C%_fuzz_fuzz_conf_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_explain_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_intake_SOURCES = %D%/fuzz/fuzz_intake.c
%C%_fuzz_fuzz_intake_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_job_SOURCES = %D%/fuzz/fuzz_job.c
%C%_fuzz_fuzz_job_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_json_SOURCES = %D%/fuzz/fuzz_json.c
%C%_fuzz_fuzz_json_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_mime_SOURCES = %D%/fuzz/fuzz_mime.c
%C%_fuzz_fuzz_mime_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_oauth_SOURCES = %D%/fuzz/fuzz_oauth.c
%C%_fuzz_fuzz_oauth_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_proxy_SOURCES = %D%/fuzz/fuzz_proxy.c
%C%_fuzz_fuzz_proxy_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_request_SOURCES = %D%/fuzz/fuzz_request.c
%C%_fuzz_fuzz_request_LDADD = libio.a libcore.a libcommon.a $(IO_LIBS) $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_smtp_SOURCES = %D%/fuzz/fuzz_smtp.c
%C%_fuzz_fuzz_smtp_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
%C%_fuzz_fuzz_text_SOURCES = %D%/fuzz/fuzz_text.c
%C%_fuzz_fuzz_text_LDADD = libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
if FUZZERS
%C%_fuzz_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_explain_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_intake_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_job_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_mime_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_oauth_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_proxy_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_smtp_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
%C%_fuzz_fuzz_text_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
else
%C%_fuzz_fuzz_answer_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_conf_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_explain_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_intake_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_job_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_json_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_mime_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_oauth_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_proxy_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_request_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_smtp_SOURCES += %D%/fuzz/main.c
%C%_fuzz_fuzz_text_SOURCES += %D%/fuzz/main.c
TESTS += %D%/fuzz/replay.sh
endif
EXTRA_DIST += %D%/fuzz/replay.sh %D%/fuzz/corpus

# Measurements, for "make bench" only.
EXTRA_LIBRARIES = libbench.a
libbench_a_SOURCES = \
	%D%/bench/wire.c \
	%D%/bench/wire.h
BENCH_TOOLS = \
	%D%/bench/bench_store \
	%D%/bench/load \
	%D%/bench/replay \
	%D%/bench/sink
EXTRA_PROGRAMS = $(BENCH_TOOLS)
%C%_bench_bench_store_LDADD = libio.a libcore.a libcommon.a $(IO_LIBS) $(YAJL_LIBS) $(IDN2_LIBS)
%C%_bench_load_LDADD = libbench.a $(OPENSSL_LIBS)
%C%_bench_replay_LDADD = libbench.a $(OPENSSL_LIBS)
%C%_bench_sink_LDADD = libbench.a $(OPENSSL_LIBS)
# Loaded into a program by LD_PRELOAD: no part of any.
BENCH_SLOWSYNC = %D%/bench/slowsync.so
$(BENCH_SLOWSYNC): %D%/bench/slowsync.c
	$(MKDIR_P) %D%/bench
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -shared -fPIC -o $@ $(top_srcdir)/%D%/bench/slowsync.c
CLEANFILES += $(BENCH_TOOLS) $(BENCH_SLOWSYNC) libbench.a
EXTRA_DIST += %D%/bench/bench.py %D%/bench/host.py %D%/bench/others.py %D%/bench/report.py %D%/bench/servers.py %D%/bench/slowsync.c

# Lints: each fails the build; lint/selftest.sh proves that each can.
check_PROGRAMS += %D%/lint/dump
%C%_lint_dump_LDADD = libcore.a libcommon.a $(YAJL_LIBS) $(IDN2_LIBS)
LINTS = \
	%D%/lint/selftest.sh \
	%D%/lint/sources.sh \
	%D%/lint/layers.sh \
	%D%/lint/symbols.sh \
	%D%/lint/banned.sh \
	%D%/lint/size.sh \
	%D%/lint/format.sh \
	%D%/lint/man.sh \
	%D%/lint/docs.sh
TESTS += $(LINTS)
EXTRA_DIST += $(LINTS) %D%/lint/lib.sh %D%/lint/code.pl %D%/lint/cover.py %D%/lint/shell.sh %D%/lint/tidy.sh %D%/lint/valgrind.sh \
	%D%/fuzz/run.sh

# What is run by scripts/test, beside "make check".
EXTRA_DIST += %D%/dialogues %D%/fake %D%/integration %D%/opinions %D%/fips %D%/systemd %D%/old \
	%D%/lab/README.md %D%/lab/approve.py %D%/lab/exact.py %D%/lab/lab %D%/lab/oidc.mjs %D%/lab/package.json \
	%D%/lab/package-lock.json %D%/lab/probe.py %D%/lab/selftest.sh
