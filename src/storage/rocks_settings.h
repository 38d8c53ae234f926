// How RocksDB is set up for the session store. Only rocks_database.cc includes this.
#pragma once

#include <rocksdb/options.h>

#include <memory>

#include "base/clock.h"
#include "storage/rocks_database.h"

namespace mooring::storage {

rocksdb::DBOptions database_options(LogMode mode);
// `cache` is shared by all families; the clock outlives the database.
rocksdb::ColumnFamilyOptions family_options(Family family, const std::shared_ptr<rocksdb::Cache>& cache,
                                            const base::Clock& clock);
std::shared_ptr<rocksdb::Cache> block_cache();
const char* family_name(Family family);

}  // namespace mooring::storage
