# daemon/ - notifyd. core/ decides and is pure, io/ does, the files at the top wire them.
noinst_LIBRARIES += libcore.a libio.a
libcore_a_SOURCES = \
	%D%/core/access.c \
	%D%/core/access.h \
	%D%/core/conf.c \
	%D%/core/conf.h \
	%D%/core/conf_check.c \
	%D%/core/conf_inner.h \
	%D%/core/conf_keys.c \
	%D%/core/conf_provider.c \
	%D%/core/conf_syntax.c \
	%D%/core/conf_text.c \
	%D%/core/conf_value.c \
	%D%/core/downtime.c \
	%D%/core/downtime.h \
	%D%/core/engine.c \
	%D%/core/engine.h \
	%D%/core/health.c \
	%D%/core/health.h \
	%D%/core/mime.c \
	%D%/core/mime.h \
	%D%/core/mime_encode.c \
	%D%/core/mime_encode.h \
	%D%/core/mime_head.c \
	%D%/core/mime_header.c \
	%D%/core/mime_header.h \
	%D%/core/mime_parts.c \
	%D%/core/mime_parts.h \
	%D%/core/mime_text.c \
	%D%/core/mime_text.h \
	%D%/core/oauth.c \
	%D%/core/oauth.h \
	%D%/core/oauth_inner.h \
	%D%/core/oauth_reply.c \
	%D%/core/pool.c \
	%D%/core/pool.h \
	%D%/core/retry.c \
	%D%/core/retry.h \
	%D%/core/sched.c \
	%D%/core/sched.h \
	%D%/core/settle.c \
	%D%/core/settle.h \
	%D%/core/smtp_auth.c \
	%D%/core/smtp_auth.h \
	%D%/core/smtp_check.c \
	%D%/core/smtp_check.h \
	%D%/core/smtp_proto.c \
	%D%/core/smtp_proto.h \
	%D%/core/smtp_reply.c \
	%D%/core/smtp_reply.h \
	%D%/core/smtp_stuff.c \
	%D%/core/smtp_stuff.h \
	%D%/core/smtp_talk.c \
	%D%/core/smtp_talk.h \
	%D%/core/store.c \
	%D%/core/store.h \
	%D%/core/token.c \
	%D%/core/token.h \
	%D%/core/verdict.c \
	%D%/core/verdict.h

libio_a_SOURCES = \
	%D%/io/filer.c \
	%D%/io/filer.h \
	%D%/io/http_client.c \
	%D%/io/http_client.h \
	%D%/io/http_server.c \
	%D%/io/http_server.h \
	%D%/io/http_server_answer.c \
	%D%/io/http_server_internal.h \
	%D%/io/http_server_reply.c \
	%D%/io/http_server_request.c \
	%D%/io/inflight.c \
	%D%/io/inflight.h \
	%D%/io/journal.c \
	%D%/io/journal.h \
	%D%/io/listen.c \
	%D%/io/listen.h \
	%D%/io/loop.c \
	%D%/io/loop.h \
	%D%/io/peer.c \
	%D%/io/peer.h \
	%D%/io/resolve.c \
	%D%/io/resolve.h \
	%D%/io/sd.c \
	%D%/io/sd.h \
	%D%/io/secret.c \
	%D%/io/secret.h \
	%D%/io/smtp_link.c \
	%D%/io/smtp_link.h \
	%D%/io/smtp_link_dial.c \
	%D%/io/smtp_link_inner.h \
	%D%/io/smtp_link_wire.c \
	%D%/io/spool.c \
	%D%/io/spool.h \
	%D%/io/store.c \
	%D%/io/store.h \
	%D%/io/store_count.c \
	%D%/io/store_db.c \
	%D%/io/store_internal.h \
	%D%/io/store_prune.c \
	%D%/io/store_read.c \
	%D%/io/store_row.c \
	%D%/io/store_scan.c \
	%D%/io/store_schema.c \
	%D%/io/store_write.c \
	%D%/io/tls.c \
	%D%/io/tls.h \
	%D%/io/worker.c \
	%D%/io/worker.h

sbin_PROGRAMS = notifyd
notifyd_SOURCES = \
	%D%/app.c \
	%D%/app.h \
	%D%/deliver.c \
	%D%/handlers.c \
	%D%/intake.c \
	%D%/main.c \
	%D%/recover.c \
	%D%/sender.c \
	%D%/settings.c \
	%D%/shape.c \
	%D%/tokens.c \
	%D%/waiters.c
notifyd_LDADD = libio.a libcore.a libcommon.a $(IO_LIBS) $(YAJL_LIBS)
