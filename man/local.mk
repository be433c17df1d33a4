# man/ - the manual, in mdoc. tests/lint/docs.sh holds it against the tables in the source.
dist_man_MANS = \
	%D%/notifyctl.1 \
	%D%/notifyd.conf.5 \
	%D%/notifyd-api.7 \
	%D%/notifyd-providers.7 \
	%D%/notifyd.8
