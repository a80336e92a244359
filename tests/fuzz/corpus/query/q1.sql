select client_id, asset_id, asset_class, value from holdings where client_id <> :x
