# common/ - what the daemon and the client both speak. Needs yajl (json.c and json_build.c alone) and libidn2 (idn.c alone, which notifyctl does without).
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
	%D%/explain_inner.h \
	%D%/explain_match.c \
	%D%/explain_table.c \
	%D%/form.c \
	%D%/form.h \
	%D%/idn.c \
	%D%/idn.h \
	%D%/job.c \
	%D%/job.h \
	%D%/job_check.c \
	%D%/job_inner.h \
	%D%/job_lists.c \
	%D%/json.c \
	%D%/json.h \
	%D%/json_build.c \
	%D%/json_build.h \
	%D%/json_here.c \
	%D%/json_here.h \
	%D%/json_out.c \
	%D%/json_tree.c \
	%D%/log.c \
	%D%/log.h \
	%D%/mem.c \
	%D%/mem.h \
	%D%/skew.c \
	%D%/skew.h \
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
	%D%/job.def

# The table of explanations is built in, so that it is there without any file installed.
nodist_libcommon_a_SOURCES = %D%/explain_built_in.c
CLEANFILES += %D%/explain_built_in.c
%D%/explain_built_in.c: share/explanations share/embed.awk
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    LC_ALL=C $(AWK) -v header=common/explain_inner.h -v name=explain_built_in -f $(srcdir)/share/embed.awk $(srcdir)/share/explanations > $@.new && \
	    mv $@.new $@
