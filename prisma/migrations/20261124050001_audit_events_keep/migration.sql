-- Row triggers do not see TRUNCATE: the history must not be emptied by it either.
CREATE TRIGGER audit_events_keep BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION audit_events_append_only();
