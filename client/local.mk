# client/ - notifyctl: knows common/ only, and links nothing else but yajl.
bin_PROGRAMS = notifyctl
EXTRA_DIST += %D%/.clang-tidy
notifyctl_SOURCES = \
	%D%/args.c \
	%D%/args.h \
	%D%/cmd.c \
	%D%/cmd.h \
	%D%/cmd_account.c \
	%D%/cmd_act.c \
	%D%/cmd_admin.c \
	%D%/cmd_backup.c \
	%D%/cmd_cert.c \
	%D%/cmd_explain.c \
	%D%/cmd_queue.c \
	%D%/cmd_secret.c \
	%D%/cmd_send.c \
	%D%/cmd_setup.c \
	%D%/cmd_setup_resume.c \
	%D%/cmd_state.c \
	%D%/cmd_status.c \
	%D%/cmd_submit.c \
	%D%/deposit.c \
	%D%/deposit.h \
	%D%/dry.c \
	%D%/dry.h \
	%D%/cmd_wait.c \
	%D%/cmd_watch.c \
	%D%/file.c \
	%D%/file.h \
	%D%/help.c \
	%D%/help.h \
	%D%/http.c \
	%D%/http.h \
	%D%/link.c \
	%D%/link.h \
	%D%/main.c \
	%D%/pair.c \
	%D%/pair.h \
	%D%/post.c \
	%D%/post.h \
	%D%/program.c \
	%D%/program.h \
	%D%/progress.c \
	%D%/progress.h \
	%D%/setup.c \
	%D%/setup.h \
	%D%/setup_sheets.c \
	%D%/setup_sheets.h \
	%D%/terminal.c \
	%D%/terminal.h \
	%D%/version.h \
	%D%/writer.c \
	%D%/writer.h \
	%D%/writer_table.c
notifyctl_LDADD = libcommon.a $(YAJL_LIBS)
