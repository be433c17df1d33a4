# common/ - what the daemon and the client both speak. Needs yajl (json.c alone).
noinst_LIBRARIES += libcommon.a
libcommon_a_SOURCES = \
	%D%/api.c \
	%D%/api.h \
	%D%/api_openapi.c \
	%D%/buf.c \
	%D%/buf.h \
	%D%/clock.h \
	%D%/err.c \
	%D%/err.h \
	%D%/explain.c \
	%D%/explain.h \
	%D%/form.c \
	%D%/form.h \
	%D%/job.c \
	%D%/job.h \
	%D%/job_check.c \
	%D%/job_inner.h \
	%D%/job_lists.c \
	%D%/json.c \
	%D%/json.h \
	%D%/json_here.c \
	%D%/json_here.h \
	%D%/json_out.c \
	%D%/log.c \
	%D%/log.h \
	%D%/mem.c \
	%D%/mem.h \
	%D%/stamp.c \
	%D%/stamp.h \
	%D%/str.c \
	%D%/str.h \
	%D%/str_code.c \
	%D%/str_mailbox.c \
	%D%/ulid.c \
	%D%/ulid.h \
	%D%/api.def \
	%D%/err.def \
	%D%/explain.def \
	%D%/job.def
