package tidemill.rival;

import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * Flink table connector 'page-views': the rows of Tidemill's generator, made in the source as cheaply as we know how to
 * in Flink. Flink's own 'datagen' draws every string character by character and would make Flink look slower than it is.
 */
public final class PageViewsFactory implements DynamicTableSourceFactory {
    static final ConfigOption<Long> ROWS = ConfigOptions.key("number-of-rows").longType().noDefaultValue();
    static final ConfigOption<Long> SEED = ConfigOptions.key("seed").longType().defaultValue(1L);

    @Override
    public String factoryIdentifier() {
        return "page-views";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(ROWS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(SEED);
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        ReadableConfig options = helper.getOptions();
        return new Table(options.get(ROWS), options.get(SEED));
    }

    record Table(long rows, long seed) implements ScanTableSource {
        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            return SourceProvider.of(new PageViewsSource(rows, seed));
        }

        @Override
        public DynamicTableSource copy() {
            return this;
        }

        @Override
        public String asSummaryString() {
            return "page-views";
        }
    }
}
