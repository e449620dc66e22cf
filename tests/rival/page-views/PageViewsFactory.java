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
 * Flink table connector 'generator', kind 'page-views': the rows of Tidemill's generator, made in the source as cheaply as we know how to
 * in Flink. Flink's own 'datagen' draws every string character by character and would make Flink look slower than it is.
 * Option 'strings': see {@link PageViews.Strings}.
 */
public final class PageViewsFactory implements DynamicTableSourceFactory {
    static final ConfigOption<Kind> KIND = ConfigOptions.key("kind").enumType(Kind.class).noDefaultValue();
    static final ConfigOption<Long> ROWS = ConfigOptions.key("number-of-rows").longType().noDefaultValue();
    static final ConfigOption<Long> SEED = ConfigOptions.key("seed").longType().defaultValue(1L);
    static final ConfigOption<PageViews.Strings> STRINGS =
            ConfigOptions.key("strings").enumType(PageViews.Strings.class).defaultValue(PageViews.Strings.OWN);

    @Override
    public String factoryIdentifier() {
        return "generator";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(KIND, ROWS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(SEED, STRINGS);
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        ReadableConfig options = helper.getOptions();
        return new Table(options.get(ROWS), options.get(SEED), options.get(STRINGS));
    }

    /** The only one there is; asked for so that one SQL text serves both engines. */
    enum Kind {
        PAGE_VIEWS {
            @Override
            public String toString() {
                return "page-views";
            }
        }
    }

    record Table(long rows, long seed, PageViews.Strings strings) implements ScanTableSource {
        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            return SourceProvider.of(new PageViewsSource(rows, seed, strings));
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
