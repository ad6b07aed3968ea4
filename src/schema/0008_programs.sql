-- Which program a call started, for the record (room `api`): its name, as arguments may hold what is secret.

alter table calls add column program text not null default '';
