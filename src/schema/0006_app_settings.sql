-- What holds for an app whatever serves (room `release`).
alter table apps add column maintenance text not null default '';  -- JSON: hold_ms, by, since (UTC); empty: none
alter table apps add column variables text not null default '{}';   -- JSON: what was set before the first release
