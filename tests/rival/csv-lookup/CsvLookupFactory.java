package tidemill.rival;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.LookupTableSource;
import org.apache.flink.table.connector.source.lookup.LookupFunctionProvider;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.LookupFunction;

/**
 * Table connector 'csv-lookup': a (BIGINT key, STRING value) file held in memory and looked up by key.
 * Flink 2.x has no built-in lookup source for files (the legacy CSV table source is gone), and
 * Nexmark q13 needs one.
 */
public class CsvLookupFactory implements DynamicTableSourceFactory {
    static final ConfigOption<String> PATH = ConfigOptions.key("path").stringType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return "csv-lookup";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(PATH);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        return new Source(helper.getOptions().get(PATH));
    }

    static class Source implements LookupTableSource {
        private final String path;

        Source(String path) {
            this.path = path;
        }

        @Override
        public LookupRuntimeProvider getLookupRuntimeProvider(LookupContext context) {
            return LookupFunctionProvider.of(new Lookup(path));
        }

        @Override
        public DynamicTableSource copy() {
            return new Source(path);
        }

        @Override
        public String asSummaryString() {
            return "csv-lookup";
        }
    }

    /** Loads the file when the operator opens. */
    public static class Lookup extends LookupFunction {
        private final String path;
        private transient Map<Long, List<RowData>> rows;

        public Lookup(String path) {
            this.path = path;
        }

        @Override
        public void open(FunctionContext context) throws Exception {
            rows = new HashMap<>();
            for (String line : Files.readAllLines(Path.of(path))) {
                int comma = line.indexOf(',');
                long key = Long.parseLong(line.substring(0, comma).trim());
                rows.computeIfAbsent(key, k -> new ArrayList<>(1))
                        .add(GenericRowData.of(key, StringData.fromString(line.substring(comma + 1))));
            }
        }

        @Override
        public Collection<RowData> lookup(RowData key) {
            return rows.getOrDefault(key.getLong(0), Collections.emptyList());
        }
    }
}
